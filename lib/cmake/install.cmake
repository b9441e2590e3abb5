# What `cmake --install` puts where: library, headers, the CMake package sereneConfig.cmake and serene.pc. The program
# comes from tools/CMakeLists.txt. Included by lib/CMakeLists.txt.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# libserene_server.a stands on parts of the library that libserene.so keeps to itself.
set(exported serene_library)
set(private_headers "c_api_support.h")
if(TARGET serene_server AND NOT BUILD_SHARED_LIBS)
  list(APPEND exported serene_server)
else()
  string(APPEND private_headers "|server/.*")
endif()

install(TARGETS ${exported} EXPORT sereneTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY serene/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/serene COMPONENT development
  FILES_MATCHING PATTERN "*.h" PATTERN web EXCLUDE PATTERN mpi EXCLUDE REGEX "/serene/(${private_headers})$" EXCLUDE)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/serene)
configure_package_config_file(cmake/sereneConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/sereneConfig.cmake
  INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/sereneConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sereneConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/sereneConfigVersion.cmake
  DESTINATION ${package} COMPONENT development)
install(EXPORT sereneTargets NAMESPACE serene:: DESTINATION ${package} COMPONENT development)

# A static library needs its own libraries at every link, a shared one only when somebody links statically.
if(BUILD_SHARED_LIBS)
  set(pc_requires "nlohmann_json >= 3.9\nRequires.private: sndfile, samplerate")
  set(pc_libs "\nLibs.private: -lstdc++ -lm -pthread")
else()
  set(pc_requires "nlohmann_json >= 3.9, sndfile, samplerate, zlib")
  set(pc_libs " -lstdc++ -lm -pthread")
endif()
file(RELATIVE_PATH pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" pc_prefix ${pc_prefix})
configure_file(cmake/serene.pc.in ${CMAKE_CURRENT_BINARY_DIR}/serene.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/serene.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
