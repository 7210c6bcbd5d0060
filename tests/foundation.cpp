// A library needs a source: this one stands for the headers that tests/CMakeLists.txt precompiles for every unit test.
