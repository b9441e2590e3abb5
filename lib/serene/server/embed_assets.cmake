# Writes one C++ source with the dashboard's files as string literals and their table.
#   cmake -DLIST=web/assets.txt -DWEB=web -DMODULES=<node_modules> -DOUT=web_assets.cpp -P embed_assets.cmake
# A line of LIST is "/path/in/the/page source", the source relative to WEB, or below node_modules/.
cmake_minimum_required(VERSION 3.25)

set(type_.html "text/html; charset=utf-8")
set(type_.js "text/javascript; charset=utf-8")
set(type_.css "text/css; charset=utf-8")
set(type_.json "application/json")
set(type_.svg "image/svg+xml")
set(type_.png "image/png")
set(type_.txt "text/plain; charset=utf-8")

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
  string(REGEX REPLACE "(..)" "\\\\x\\1" hex "${hex}")
  string(APPEND arrays "constexpr char kFile${count}[] = \"${hex}\";\n")
  string(APPEND table "    {\"${path}\", \"${type_${ending}}\", {kFile${count}, ${bytes}}, \"\\\"${sha}\\\"\"},\n")
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
