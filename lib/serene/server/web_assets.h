// The dashboard's files, embedded in the program by embed_assets.cmake at build time.
#pragma once

#include <span>
#include <string_view>

namespace serene {

struct WebAsset {
  std::string_view path;  // as asked for: "/assets/app.js"; the page itself is "/index.html"
  std::string_view type;  // media type
  std::string_view bytes;
  std::string_view etag;  // with its quotes; changes when the bytes do
  std::string_view gzip;  // the bytes compressed; empty when that does not make them fewer
  std::string_view gzip_etag;
};

// Sorted as web/assets.txt lists them. Thread-safe.
std::span<const WebAsset> web_assets() noexcept;

}  // namespace serene
