# The dashboard's own tests: dashboard_model needs node alone, dashboard drives headless Chromium. Included by
# tests/CMakeLists.txt; what is not installed is not tested.
find_program(SERENE_NODE node)
find_program(SERENE_CHROMIUM NAMES chromium chromium-browser google-chrome)
if(NOT SERENE_NODE)
  return()
endif()
add_test(NAME dashboard_model COMMAND ${SERENE_NODE} --test ${CMAKE_CURRENT_LIST_DIR}/model_test.mjs
         ${CMAKE_CURRENT_LIST_DIR}/requests_test.mjs)

if(NOT SERENE_CHROMIUM OR NOT SERENE_NPM OR NOT TARGET serene_server OR NOT TARGET serene_cli)
  return()
endif()
set(packages ${CMAKE_CURRENT_BINARY_DIR}/dashboard)
foreach(file package.json package-lock.json)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/${file} ${packages}/${file} COPYONLY)
endforeach()
# Fetched when the test is first run, at the versions and hashes of the lock file.
add_test(NAME dashboard_packages COMMAND ${SERENE_NPM} ci --ignore-scripts --no-audit --no-fund --loglevel=error
         WORKING_DIRECTORY ${packages})
add_test(NAME dashboard COMMAND ${SERENE_NODE} ${CMAKE_CURRENT_LIST_DIR}/run.mjs)
set_tests_properties(dashboard_packages PROPERTIES FIXTURES_SETUP dashboard_packages TIMEOUT 300)
set_tests_properties(dashboard PROPERTIES
  FIXTURES_REQUIRED dashboard_packages TIMEOUT 600 RUN_SERIAL ON
  ENVIRONMENT "SERENE_BIN=$<TARGET_FILE:serene_cli>;CHROMIUM=${SERENE_CHROMIUM};SERENE_NODE_MODULES=${packages};SERENE_MODEL=${PROJECT_SOURCE_DIR}/configs/pretrained/default.safetensors;SERENE_SCREENSHOTS=${packages}/screenshots")
