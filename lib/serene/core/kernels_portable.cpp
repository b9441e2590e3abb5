// Kernels for every processor: 128-bit vectors, which each target of GCC and Clang can lower.
#define SERENE_VECTOR_BYTES 16
#define SERENE_TILE_ROWS 4
#define SERENE_TABLE portable_kernels
#define SERENE_ISA_NAME "portable"
#include "serene/core/kernels_template.h"
