# The target `docs`: build/docs/html. Exists where Doxygen and Python do; nothing else needs it.
find_program(SERENE_DOXYGEN doxygen)
find_package(Python3 COMPONENTS Interpreter QUIET)
set(docs_source ${CMAKE_CURRENT_LIST_DIR})
set(docs_build ${PROJECT_BINARY_DIR}/docs)
configure_file(${docs_source}/Doxyfile.in ${docs_build}/Doxyfile @ONLY)
if(SERENE_DOXYGEN AND Python3_FOUND)
  add_custom_target(docs
    COMMAND ${Python3_EXECUTABLE} -B ${docs_source}/comments.py ${PROJECT_SOURCE_DIR}/lib/serene ${docs_source} ${docs_build}
    COMMAND ${SERENE_DOXYGEN} ${docs_build}/Doxyfile
    COMMENT "Writing the reference: docs/html/index.html"
    VERBATIM)
endif()
