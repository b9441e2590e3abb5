# Writes one C++ source with the dashboard's files as string literals and their table.
#   cmake -DLIST=web/assets.txt -DWEB=web -DMODULES=<node_modules> -DOUT=web_assets.cpp -P embed_assets.cmake
# A line of LIST is "/path/in/the/page source", the source relative to WEB, or below node_modules/. What gzip makes
# shorter is there a second time, compressed. The same files give the same source.
cmake_minimum_required(VERSION 3.25)

set(type_.html "text/html; charset=utf-8")
set(type_.js "text/javascript; charset=utf-8")
set(type_.css "text/css; charset=utf-8")
set(type_.json "application/json")
set(type_.svg "image/svg+xml")
set(type_.png "image/png")
set(type_.txt "text/plain; charset=utf-8")

# The bytes of `file` compressed, as hexadecimal digits. Bytes 4 to 7 are the time of compression, which says nothing.
function(compress file digits_of)
  file(ARCHIVE_CREATE OUTPUT "${OUT}.gz" PATHS "${file}" FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9 MTIME 0)
  file(READ "${OUT}.gz" gzip HEX)
  file(REMOVE "${OUT}.gz")
  string(REGEX REPLACE "^(1f8b08..)........" "\\100000000" gzip "${gzip}")
  set(${digits_of} "${gzip}" PARENT_SCOPE)
endfunction()

# Digits "0a1b" as the inside of a C++ literal.
function(escape digits literal_of)
  string(REGEX REPLACE "(..)" "\\\\x\\1" literal "${digits}")
  set(${literal_of} "${literal}" PARENT_SCOPE)
endfunction()

set(arrays "")
set(table "")
set(count 0)
file(STRINGS "${LIST}" lines)
foreach(line IN LISTS lines)
  if(line MATCHES "^ *(#.*)?$")
    continue()
  endif()
  if(NOT line MATCHES "^(/[A-Za-z0-9._/-]+) +([A-Za-z0-9._/-]+)$")
    message(FATAL_ERROR "${LIST}: \"${line}\": expected \"/path source\"")
  endif()
  set(path "${CMAKE_MATCH_1}")
  set(source "${CMAKE_MATCH_2}")
  if(source MATCHES "^node_modules/(.*)$")
    set(file "${MODULES}/${CMAKE_MATCH_1}")
  else()
    set(file "${WEB}/${source}")
  endif()
  if(NOT EXISTS "${file}")
    message(FATAL_ERROR "${LIST}: ${source}: no such file")
  endif()
  get_filename_component(ending "${path}" LAST_EXT)
  if(NOT DEFINED type_${ending})
    message(FATAL_ERROR "${LIST}: ${path}: no media type is known for \"${ending}\"")
  endif()
  file(READ "${file}" hex HEX)
  file(SHA256 "${file}" sha)
  string(SUBSTRING "${sha}" 0 16 sha)
  string(LENGTH "${hex}" digits)
  math(EXPR bytes "${digits} / 2")
  escape("${hex}" literal)
  string(APPEND arrays "constexpr char kFile${count}[] = \"${literal}\";\n")
  compress("${file}" gzip)
  string(LENGTH "${gzip}" gzip_digits)
  if(gzip_digits LESS digits)
    math(EXPR gzip_bytes "${gzip_digits} / 2")
    escape("${gzip}" literal)
    string(APPEND arrays "constexpr char kGzip${count}[] = \"${literal}\";\n")
    set(gzip_entry "{kGzip${count}, ${gzip_bytes}}, \"\\\"${sha}-gzip\\\"\"")
  else()
    set(gzip_entry "{}, {}")
  endif()
  string(APPEND table "    {\"${path}\", \"${type_${ending}}\", {kFile${count}, ${bytes}}, \"\\\"${sha}\\\"\", ${gzip_entry}},\n")
  math(EXPR count "${count} + 1")
endforeach()

file(WRITE "${OUT}" "// Made by embed_assets.cmake.
#include \"serene/server/web_assets.h\"

namespace serene {
namespace {
${arrays}
constexpr WebAsset kAssets[] = {
${table}};
}  // namespace

std::span<const WebAsset> web_assets() noexcept { return kAssets; }

}  // namespace serene
")
