// The version of the library, semantic versioning: while it is 0.x, a new minor version may change the C++ interface.
// CMake, C and C++ all read it here.
#pragma once

// Three numbers, of which a program may require the first two.
#define SERENE_VERSION_MAJOR 0
#define SERENE_VERSION_MINOR 1
#define SERENE_VERSION_PATCH 0

// One number that grows with the version: 100 for 0.1.0.
#define SERENE_VERSION_NUMBER_OF(major, minor, patch) (10000 * (major) + 100 * (minor) + (patch))
#define SERENE_VERSION_NUMBER SERENE_VERSION_NUMBER_OF(SERENE_VERSION_MAJOR, SERENE_VERSION_MINOR, SERENE_VERSION_PATCH)

// Numbers as text, with values in place of macros.
#define SERENE_TEXT_OF(major, minor, patch) #major "." #minor "." #patch
#define SERENE_TEXT_OF_VALUES(major, minor, patch) SERENE_TEXT_OF(major, minor, patch)
// "0.1.0"
#define SERENE_VERSION SERENE_TEXT_OF_VALUES(SERENE_VERSION_MAJOR, SERENE_VERSION_MINOR, SERENE_VERSION_PATCH)
