// Kernels for AVX2 with FMA: 6 x 16 floats in 12 of the 16 registers.
#if defined(__x86_64__)
#define SERENE_VECTOR_BYTES 32
#define SERENE_TILE_ROWS 6
#define SERENE_TABLE avx2_kernels
#define SERENE_ISA_NAME "avx2"
#include "serene/core/kernels_template.h"
#endif
