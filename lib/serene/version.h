// The version of the library: semantic versioning, the same as the CMake project's.
#pragma once

#define SERENE_VERSION "0.1.0"
