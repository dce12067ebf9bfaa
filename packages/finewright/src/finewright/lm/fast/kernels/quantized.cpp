// Quantised weights: rows of a weight are put into 4 or 8 bits, and written whole into rows of a wider matrix. The
// code of a weight is the number of borders between levels that lie below it. Called from native.py with raw
// pointers; see quantized.py.

#include <algorithm>
#include <cmath>

#include "quantized.h"

namespace {

template <class T> void nf4_unpack(const Nf4& w, T* out, i64 out_row, i64 rows, i64 width) {
#pragma omp parallel for schedule(static) if (rows * width > kWorthThreads)
  for (i64 i = 0; i < rows; ++i) nf4_row(w, i, out + i * out_row, width);
}

// codes of one block, and its magnitude; the part beyond `width` is zeros
template <class T> float nf4_pack_block(const T* in, i64 width, const float* borders, float tiny, u8* codes) {
  float x[kBlock] = {};
  std::uint32_t near[kBlock] = {};
  float magnitude = 0.0f;
  for (i64 j = 0; j < width; ++j) x[j] = value(in[j]);
#pragma omp simd reduction(max : magnitude)
  for (i64 j = 0; j < kBlock; ++j) magnitude = std::max(magnitude, std::fabs(x[j]));
  const float divisor = std::max(magnitude, tiny);
  for (i64 j = 0; j < kBlock; ++j) x[j] /= divisor;
  for (int c = 0; c < 15; ++c)
    for (i64 j = 0; j < kBlock; ++j) near[j] += x[j] > borders[c];
  for (i64 j = 0; j < kBlock / 2; ++j) codes[j] = static_cast<u8>(near[2 * j] << 4 | near[2 * j + 1]);
  return magnitude;
}

template <class T>
void nf4_pack(const T* in, i64 in_row, const float* borders, float tiny, u8* codes, float* magnitudes, i64 rows,
              i64 width) {
  const i64 blocks = (width + kBlock - 1) / kBlock;
#pragma omp parallel for schedule(static) if (rows * width > kWorthThreads)
  for (i64 i = 0; i < rows; ++i)
    for (i64 b = 0; b < blocks; ++b) {
      const i64 n = i * blocks + b, left = std::min(kBlock, width - b * kBlock);
      magnitudes[n] =
          nf4_pack_block(in + i * in_row + b * kBlock, left, borders, tiny, codes + n * (kBlock / 2));
    }
}

template <class T>
void int8_pack(const T* in, i64 in_row, float tiny, std::int8_t* codes, float* scales, i64 rows, i64 width) {
#pragma omp parallel for schedule(static) if (rows * width > kWorthThreads)
  for (i64 i = 0; i < rows; ++i) {
    const T* x = in + i * in_row;
    std::int8_t* y = codes + i * width;
    float magnitude = 0.0f;
#pragma omp simd reduction(max : magnitude)
    for (i64 j = 0; j < width; ++j) magnitude = std::max(magnitude, std::fabs(value(x[j])));
    scales[i] = magnitude / 127.0f;
    const float divisor = std::max(scales[i], tiny);
    for (i64 j = 0; j < width; ++j) y[j] = static_cast<std::int8_t>(std::nearbyint(value(x[j]) / divisor));
  }
}

template <class T>
void int8_unpack(const std::int8_t* codes, const float* scales, T* out, i64 out_row, i64 rows, i64 width) {
#pragma omp parallel for schedule(static) if (rows * width > kWorthThreads)
  for (i64 i = 0; i < rows; ++i) int8_row(codes + i * width, scales[i], out + i * out_row, width);
}

}  // namespace

#define QUANTISED(T, name)                                                                                     \
  void fw_nf4_unpack_##name(const u8* codes, const u8* scales, const float* scale_scales, float mean,          \
                            const float* levels, const float* dynamic, T* out, i64 out_row, i64 rows,          \
                            i64 width) {                                                                       \
    nf4_unpack(Nf4{codes, scales, scale_scales, mean, levels, dynamic}, out, out_row, rows, width);            \
  }                                                                                                            \
  void fw_int8_unpack_##name(const std::int8_t* codes, const float* scales, T* out, i64 out_row, i64 rows,     \
                             i64 width) {                                                                      \
    int8_unpack(codes, scales, out, out_row, rows, width);                                                     \
  }                                                                                                            \
  void fw_nf4_pack_##name(const T* in, i64 in_row, const float* borders, float tiny, u8* codes,                \
                          float* magnitudes, i64 rows, i64 width) {                                            \
    nf4_pack(in, in_row, borders, tiny, codes, magnitudes, rows, width);                                       \
  }                                                                                                            \
  void fw_int8_pack_##name(const T* in, i64 in_row, float tiny, std::int8_t* codes, float* scales, i64 rows,   \
                           i64 width) {                                                                        \
    int8_pack(in, in_row, tiny, codes, scales, rows, width);                                                   \
  }

extern "C" {

QUANTISED(float, f32)
QUANTISED(bf16, bf16)
}
