# `docs_pages`: links, layer notes, commands and paths of the pages under lib/docs; `docs`: the reference without a
# warning, skipped with a line where there is no Doxygen.
if(NOT Python3_FOUND)
  return()
endif()
set(program "")
if(TARGET serene_cli)
  set(program "SERENE_BIN=$<TARGET_FILE:serene_cli>")
endif()
add_test(NAME docs_pages COMMAND ${Python3_EXECUTABLE} -B -m unittest discover -s tests/docs -p "test_[cp]*.py")
add_test(NAME docs COMMAND ${Python3_EXECUTABLE} -B -m unittest -v tests/docs/test_reference.py)
set_tests_properties(docs_pages docs PROPERTIES WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} TIMEOUT 300 LABELS docs
  ENVIRONMENT "${program};SERENE_DOCS=${PROJECT_BINARY_DIR}/docs")
set_tests_properties(docs PROPERTIES SKIP_REGULAR_EXPRESSION "no doxygen: the reference is not checked")
