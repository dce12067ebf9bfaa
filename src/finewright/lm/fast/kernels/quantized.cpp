// Quantised weights: rows of a weight are put into 4 or 8 bits, and written whole into rows of a wider matrix. In
// a block of NF4 the sixteen levels times the block's scale are a table, rounded once; every weight is a look-up in
// it. The code of a weight is the number of borders between levels that lie below it. Called from native.py with
// raw pointers; see quantized.py.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "numbers.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace {

using u8 = std::uint8_t;

constexpr i64 kBlock = 64, kScaleBlock = 256;

template <class T> void nf4_part(const u8* codes, const T* table, T* out, i64 width) {
  for (i64 j = 0; j < width; ++j) out[j] = table[j % 2 ? codes[j / 2] & 15 : codes[j / 2] >> 4];
}

#ifdef __AVX512BW__

// a byte is widened to the two indices that its halves are, side by side
inline void nf4_block(const u8* codes, const bf16* table, bf16* out) {
  const __m512i levels = _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(table)));
  for (int part = 0; part < 2; ++part) {
    const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes) + part));
    const __m512i low = _mm512_and_si512(bytes, _mm512_set1_epi32(15));
    const __m512i both = _mm512_or_si512(_mm512_srli_epi32(bytes, 4), _mm512_slli_epi32(low, 16));
    _mm512_storeu_si512(out + 32 * part, _mm512_permutexvar_epi16(both, levels));
  }
}

inline void nf4_block(const u8* codes, const float* table, float* out) {
  const __m512 levels = _mm512_loadu_ps(table);
  for (int part = 0; part < 4; ++part) {
    const __m512i bytes = _mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + 8 * part)));
    const __m512i low = _mm512_and_si512(bytes, _mm512_set1_epi64(15));
    const __m512i both = _mm512_or_si512(_mm512_srli_epi64(bytes, 4), _mm512_slli_epi64(low, 32));
    _mm512_storeu_ps(out + 16 * part, _mm512_permutexvar_ps(both, levels));
  }
}

#elif defined(__AVX2__)

// the low and the high bytes of the levels are two tables of sixteen bytes
inline void nf4_block(const u8* codes, const bf16* table, bf16* out) {
  const __m128i* from = reinterpret_cast<const __m128i*>(table);
  const __m128i first = _mm_loadu_si128(from), last = _mm_loadu_si128(from + 1), byte = _mm_set1_epi16(255);
  const __m128i low = _mm_packus_epi16(_mm_and_si128(first, byte), _mm_and_si128(last, byte));
  const __m128i high = _mm_packus_epi16(_mm_srli_epi16(first, 8), _mm_srli_epi16(last, 8));
  __m128i* to = reinterpret_cast<__m128i*>(out);
  for (int part = 0; part < 2; ++part) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes) + part);
    const __m128i one = _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(15));
    const __m128i two = _mm_and_si128(bytes, _mm_set1_epi8(15));
    for (const __m128i at : {_mm_unpacklo_epi8(one, two), _mm_unpackhi_epi8(one, two)}) {
      const __m128i l = _mm_shuffle_epi8(low, at), h = _mm_shuffle_epi8(high, at);
      _mm_storeu_si128(to++, _mm_unpacklo_epi8(l, h));
      _mm_storeu_si128(to++, _mm_unpackhi_epi8(l, h));
    }
  }
}

// the lower and the upper eight levels are two tables; the index's fourth bit chooses
inline void nf4_block(const u8* codes, const float* table, float* out) {
  const __m256 lower = _mm256_loadu_ps(table), upper = _mm256_loadu_ps(table + 8);
  for (int part = 0; part < 8; ++part) {
    std::int32_t four;
    std::memcpy(&four, codes + 4 * part, 4);
    const __m256i bytes = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four));
    const __m256i at = _mm256_or_si256(_mm256_srli_epi64(bytes, 4), _mm256_slli_epi64(bytes, 32));
    const __m256 choice = _mm256_castsi256_ps(_mm256_slli_epi32(at, 28));
    const __m256 l = _mm256_permutevar8x32_ps(lower, at), u = _mm256_permutevar8x32_ps(upper, at);
    _mm256_storeu_ps(out + 8 * part, _mm256_blendv_ps(l, u, choice));
  }
}

#else

template <class T> void nf4_block(const u8* codes, const T* table, T* out) { nf4_part(codes, table, out, kBlock); }

#endif

struct Nf4 {  // see quantized.py
  const u8 *codes, *scales;
  const float* scale_scales;
  float mean;
  const float *levels, *dynamic;
};

template <class T> void nf4_unpack(const Nf4& w, T* out, i64 out_row, i64 rows, i64 width) {
  const i64 blocks = (width + kBlock - 1) / kBlock;
#pragma omp parallel for schedule(static) if (rows * width > kWorthThreads)
  for (i64 i = 0; i < rows; ++i)
    for (i64 b = 0; b < blocks; ++b) {
      const i64 n = i * blocks + b;
      // double: the product is exact there, so the sum is the same fused or not
      const double spread = static_cast<double>(w.dynamic[w.scales[n]]) * w.scale_scales[n / kScaleBlock];
      const float scale = static_cast<float>(spread + w.mean);
      T table[16];
#pragma omp simd
      for (int c = 0; c < 16; ++c) table[c] = rounded<T>(w.levels[c] * scale);
      T* y = out + i * out_row + b * kBlock;
      const i64 left = width - b * kBlock;
      if (left >= kBlock)
        nf4_block(w.codes + n * (kBlock / 2), table, y);
      else
        nf4_part(w.codes + n * (kBlock / 2), table, y, left);
    }
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
  for (i64 i = 0; i < rows; ++i) {
    const std::int8_t* in = codes + i * width;
    T* y = out + i * out_row;
    const float scale = scales[i];
#pragma omp simd
    for (i64 j = 0; j < width; ++j) y[j] = rounded<T>(static_cast<float>(in[j]) * scale);
  }
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
