// SHA-256 (FIPS 180-4): the content hash of clips, feature caches, configs and checkpoints.
//
// A Sha256 belongs to one thread; the free functions are thread-safe. Nothing here throws but for lack of memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace serene {

class Sha256 {
 public:
  using Digest = std::array<std::uint8_t, 32>;

  // Feeds the next bytes.
  void update(std::span<const std::byte> bytes) noexcept;
  void update(std::string_view text) noexcept {
    update(std::as_bytes(std::span<const char>(text.data(), text.size())));
  }

  // Digest of everything fed so far; more may be fed afterwards.
  Digest digest() const noexcept;
  std::string hex() const;  // 64 lower-case hexadecimal digits

 private:
  void add_blocks(const std::byte* bytes, std::size_t count) noexcept;  // of 64 bytes

  std::array<std::uint32_t, 8> state_ = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                         0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
  std::array<std::byte, 64> pending_{};
  std::size_t pending_bytes_ = 0;
  std::uint64_t total_bytes_ = 0;
};

// The digest of a whole text in 64 lower-case hexadecimal digits.
std::string sha256_hex(std::span<const std::byte> bytes);
std::string sha256_hex(std::string_view text);

}  // namespace serene
