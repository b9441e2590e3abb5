# What serene exports and imports, held against the other programs: included by tests/CMakeLists.txt. A program that is
# not installed (python3-onnx, python3-torch, python3-h5py; node and npm) is not compared with, and CMake says so.
add_executable(onnx_cases ${CMAKE_CURRENT_LIST_DIR}/onnx_cases.cpp)
target_link_libraries(onnx_cases PRIVATE serene_io)
target_compile_definitions(onnx_cases PRIVATE SERENE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
target_compile_options(onnx_cases PRIVATE -Wall -Wextra -Wpedantic -Wshadow $<$<BOOL:${SERENE_WERROR}>:-Werror> $<$<CONFIG:Release>:-O1>)
set(interop ${CMAKE_CURRENT_BINARY_DIR}/interop)
add_test(NAME onnx_cases COMMAND onnx_cases ${interop}/cases)
set_tests_properties(onnx_cases PROPERTIES FIXTURES_SETUP onnx_cases TIMEOUT 120)

# Sets `result` to the first Python that has the module, or to NOTFOUND.
function(serene_python_with module result)
  foreach(python ${Python3_EXECUTABLE} /usr/bin/python3)
    execute_process(COMMAND ${python} -c "import ${module}" RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
    if(NOT failed)
      set(${result} ${python} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(STATUS "No Python with ${module}: what is exported is not held against it (python3-${module})")
  set(${result} NOTFOUND PARENT_SCOPE)
endfunction()

serene_python_with(onnx python_onnx)
if(python_onnx)
  add_test(NAME onnx_checker COMMAND ${python_onnx} -B ${CMAKE_CURRENT_LIST_DIR}/onnx_checker.py ${interop}/cases)
  set_tests_properties(onnx_checker PROPERTIES FIXTURES_REQUIRED onnx_cases TIMEOUT 300)
endif()

find_program(SERENE_NPM npm)
if(SERENE_NODE AND SERENE_NPM)
  foreach(file package.json package-lock.json)
    configure_file(${CMAKE_CURRENT_LIST_DIR}/${file} ${interop}/${file} COPYONLY)
  endforeach()
  # Fetched when the test is first run, at the versions and hashes of the lock file.
  add_test(NAME onnx_packages COMMAND ${SERENE_NPM} ci --ignore-scripts --no-audit --no-fund --loglevel=error
           WORKING_DIRECTORY ${interop})
  set_tests_properties(onnx_packages PROPERTIES FIXTURES_SETUP onnx_packages TIMEOUT 300)
  add_test(NAME onnx_runtime COMMAND ${SERENE_NODE} ${CMAKE_CURRENT_LIST_DIR}/onnx_runtime.mjs ${interop}/cases
           --modules ${interop})
  set_tests_properties(onnx_runtime PROPERTIES FIXTURES_REQUIRED "onnx_cases;onnx_packages" TIMEOUT 300)
endif()
