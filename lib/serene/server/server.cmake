# serene_server: the hub, the dashboard with its pages embedded, and the history of calls. Included by lib/CMakeLists.txt.
#
# The two JavaScript packages come from npm at build time, at the versions and hashes of web/package-lock.json, into a
# copy below the build folder; nothing of theirs is run.
find_package(Boost 1.74 REQUIRED)
find_package(SQLite3 3.38 REQUIRED)
find_program(SERENE_NPM npm)
if(NOT SERENE_NPM)
  message(FATAL_ERROR "The dashboard needs npm to fetch its two packages: install npm, or build without the dashboard by -DSERENE_SERVER=OFF")
endif()

# Within the build it links the folders; outside there is the one library.
set(folders serene_core serene_audio serene_nn serene_eval serene_io serene_call)
serene_folder(server "$<BUILD_INTERFACE:${folders}>" $<INSTALL_INTERFACE:serene::serene> Boost::headers SQLite::SQLite3
  Threads::Threads)
set_target_properties(serene_server PROPERTIES EXPORT_NAME server)
target_compile_definitions(serene_server PUBLIC SERENE_WITH_SERVER)
add_library(serene::server ALIAS serene_server)

set(web ${CMAKE_CURRENT_SOURCE_DIR}/serene/server/web)
set(copy ${CMAKE_CURRENT_BINARY_DIR}/web)
set(embed ${CMAKE_CURRENT_SOURCE_DIR}/serene/server/embed_assets.cmake)

add_custom_command(
  OUTPUT ${copy}/installed.stamp
  COMMAND ${CMAKE_COMMAND} -E make_directory ${copy}
  COMMAND ${CMAKE_COMMAND} -E copy ${web}/package.json ${web}/package-lock.json ${copy}
  COMMAND ${CMAKE_COMMAND} -E chdir ${copy} ${SERENE_NPM} ci --ignore-scripts --no-audit --no-fund --loglevel=error
  COMMAND ${CMAKE_COMMAND} -E touch ${copy}/installed.stamp
  DEPENDS ${web}/package.json ${web}/package-lock.json
  COMMENT "Fetching the dashboard's packages"
  VERBATIM)

file(GLOB sources CONFIGURE_DEPENDS ${web}/*)
add_custom_command(
  OUTPUT ${copy}/web_assets.cpp
  COMMAND ${CMAKE_COMMAND} -DLIST=${web}/assets.txt -DWEB=${web} -DMODULES=${copy}/node_modules
          -DOUT=${copy}/web_assets.cpp -P ${embed}
  DEPENDS ${copy}/installed.stamp ${embed} ${sources}
  COMMENT "Embedding the dashboard"
  VERBATIM)
target_sources(serene_server PRIVATE ${copy}/web_assets.cpp)
# One literal per file is longer than the standard promises; GCC and Clang take it.
set_source_files_properties(${copy}/web_assets.cpp PROPERTIES COMPILE_OPTIONS "-Wno-overlength-strings")
