// Kernels for AVX-512: 12 x 32 floats in 24 of the 32 registers.
#if defined(__x86_64__)
#define SERENE_VECTOR_BYTES 64
#define SERENE_TILE_ROWS 12
#define SERENE_TABLE avx512_kernels
#define SERENE_ISA_NAME "avx512"
#include "serene/core/kernels_template.h"
#endif
