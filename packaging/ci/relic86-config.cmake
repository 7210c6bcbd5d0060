# find_package(relic86) gives relic86_discover_tests: each test of a suite of relic86-batch is one of CTest.
#
#   relic86_discover_tests(SUITE.toml [PREFIX TEXT] [SET NAME=VALUE...] [LABELS LABEL...] [TIMEOUT SECONDS])
#
# The names come from the suite when ctest starts, so that a change of the suite needs no new configuration. Points are
# kept in the build folder: a machine is booted once, although CTest starts a process for each test.
find_program(RELIC86_BATCH relic86-batch HINTS "${CMAKE_CURRENT_LIST_DIR}/../../../bin"
             DOC "Runs suites of tests on emulated machines")
set(relic86_DISCOVERY ${CMAKE_CURRENT_LIST_DIR}/relic86-discover.cmake)

function(relic86_discover_tests suite)
  cmake_parse_arguments(PARSE_ARGV 1 given "" "PREFIX;TIMEOUT" "SET;LABELS")
  if(given_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "relic86_discover_tests: '${given_UNPARSED_ARGUMENTS}' is unknown; PREFIX, SET, LABELS and TIMEOUT are known")
  endif()
  if(NOT RELIC86_BATCH)
    message(FATAL_ERROR "relic86_discover_tests: relic86-batch was not found; set RELIC86_BATCH to its path")
  endif()
  get_filename_component(file ${suite} ABSOLUTE)
  string(MD5 key "${file};${ARGN}")
  set(script ${CMAKE_CURRENT_BINARY_DIR}/relic86-${key}.cmake)
  file(CONFIGURE OUTPUT ${script} @ONLY CONTENT [==[
set(batch [=[@RELIC86_BATCH@]=])
set(suite [=[@file@]=])
set(results [=[@CMAKE_CURRENT_BINARY_DIR@/relic86-results/@key@]=])
set(points [=[@CMAKE_BINARY_DIR@/relic86-points]=])
set(prefix [=[@given_PREFIX@]=])
set(settings [=[@given_SET@]=])
set(labels [=[@given_LABELS@]=])
set(timeout [=[@given_TIMEOUT@]=])
include([=[@relic86_DISCOVERY@]=])
]==])
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${script})
endfunction()

set(relic86_FOUND TRUE)
