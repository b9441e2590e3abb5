# `cpack -G DEB`: one package a component, serene (the program), libserene-dev and, with BUILD_SHARED_LIBS, libserene0.1.
# Included by the CMakeLists.txt at the top.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "serene")
set(CPACK_PACKAGE_CONTACT "the maintainers of serene <maintainers@serene.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL development)
if(SERENE_BUILD_TOOLS)
  list(APPEND CPACK_COMPONENTS_ALL program)
endif()
set(needs "nlohmann-json3-dev (>= 3.9), libsndfile1-dev, libsamplerate0-dev, zlib1g-dev")
if(BUILD_SHARED_LIBS)
  list(APPEND CPACK_COMPONENTS_ALL library)
  set(needs "libserene${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} (= ${PROJECT_VERSION}), nlohmann-json3-dev (>= 3.9)")
endif()
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME serene)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION sound)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "espeak-ng, libportaudio2")  # voices of scenarios, the microphone
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION
  "Speech emotion recognition: the program serene
 Trains emotion models on recorded speech, scores them, recognises recordings and listens to live calls.")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libserene${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "Speech emotion recognition: the shared library")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libserene-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS ${needs})
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Speech emotion recognition: library and headers for C++ and C")

foreach(component program library development)
  string(TOUPPER ${component} upper)
  install(FILES LICENSE DESTINATION share/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME} RENAME copyright
    COMPONENT ${component} EXCLUDE_FROM_ALL)
endforeach()
include(CPack)
