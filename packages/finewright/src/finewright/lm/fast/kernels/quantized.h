// Rows of quantised weights made whole. In a block of NF4 the sixteen levels times the block's scale are a table,
// rounded once; every weight is a look-up in it. See quantized.py for the formats.

#pragma once

#include <algorithm>
#include <cstring>

#include "numbers.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace {

using u8 = std::uint8_t;

constexpr i64 kBlock = 64, kScaleBlock = 256, kAhead = 4096;

template <class T> void nf4_part(const u8* codes, const T* table, T* out, i64 width) {
  for (i64 j = 0; j < width; ++j) out[j] = table[j % 2 ? codes[j / 2] & 15 : codes[j / 2] >> 4];
}

#ifdef __AVX512BW__

// 32 weights: codes are widened to an index each, side by side; the table lies twice in its register, so an index's
// bits above the fourth say nothing
inline __m512i nf4_half(const u8* codes, __m512i table) {
  const __m128i sixteen = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
#ifdef __AVX512VBMI__
  const __m512i begins = _mm512_set1_epi64(0x08080c0c00000404);  // the bit of two bytes at which each index begins
  const __m512i both = _mm512_multishift_epi64_epi8(begins, _mm512_cvtepu16_epi64(sixteen));
#else
  const __m512i bytes = _mm512_cvtepu8_epi32(sixteen);
  const __m512i both = _mm512_or_si512(_mm512_srli_epi32(bytes, 4), _mm512_slli_epi32(bytes, 16));
#endif
  return _mm512_permutexvar_epi16(both, table);
}

inline void nf4_block(const u8* codes, __m512i table, bf16* out) {
  _mm512_storeu_si512(out, nf4_half(codes, table));
  _mm512_storeu_si512(out + 32, nf4_half(codes + kBlock / 4, table));
}

inline void nf4_block(const u8* codes, const bf16* table, bf16* out) {
  nf4_block(codes, _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(table))), out);
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

inline float nf4_scale(const Nf4& w, i64 block) {
  // double: the product is exact there, so the sum is the same fused or not
  const double spread = static_cast<double>(w.dynamic[w.scales[block]]) * w.scale_scales[block / kScaleBlock];
  return static_cast<float>(spread + w.mean);
}

#ifdef HAVE_BF16_DOT

inline __m512i nf4_table(const Nf4& w, float scale) {  // twice
  const Lanes levels = load(w.levels) * scale;
  return (__m512i)_mm512_cvtne2ps_pbh(levels, levels);
}

inline __m512bh int8_pair(__m128i low, __m128i high, Lanes scale) {
  const Lanes first = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(low)) * scale;
  return _mm512_cvtne2ps_pbh(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(high)) * scale, first);
}

#endif

// a row of `width` weights; the scales of many blocks first, as they become vectors by themselves
template <class T> void nf4_row(const Nf4& w, i64 row, T* out, i64 width) {
  constexpr i64 kScales = 32;
  const i64 blocks = (width + kBlock - 1) / kBlock;
  for (i64 from = 0; from < blocks; from += kScales) {
    float scales[kScales];
    const i64 first = row * blocks + from, count = std::min(kScales, blocks - from);
    for (i64 b = 0; b < count; ++b) scales[b] = nf4_scale(w, first + b);
    for (i64 b = 0; b < count; ++b) {
      const u8* codes = w.codes + (first + b) * (kBlock / 2);
      const i64 left = width - (from + b) * kBlock;
      T* y = out + (from + b) * kBlock;
      __builtin_prefetch(codes + kAhead);
#ifdef HAVE_BF16_DOT
      if (left >= kBlock && sizeof(T) == 2) {  // a table that is stored and loaded again waits for the store
        nf4_block(codes, nf4_table(w, scales[b]), reinterpret_cast<bf16*>(y));
        continue;
      }
#endif
      T table[16];
#pragma omp simd
      for (int c = 0; c < 16; ++c) table[c] = rounded<T>(w.levels[c] * scales[b]);
      if (left >= kBlock)
        nf4_block(codes, table, y);
      else
        nf4_part(codes, table, y, left);
    }
  }
}

template <class T> void int8_row(const std::int8_t* codes, float scale, T* out, i64 width) {
  i64 j = 0;
#ifdef HAVE_BF16_DOT
  if constexpr (sizeof(T) == 2)
    for (const Lanes by = _mm512_set1_ps(scale); j + 32 <= width; j += 32) {
      const auto* sixteen = reinterpret_cast<const __m128i*>(codes + j);
      __builtin_prefetch(codes + j + kAhead);
      const __m512bh both = int8_pair(_mm_loadu_si128(sixteen), _mm_loadu_si128(sixteen + 1), by);
      _mm512_storeu_si512(out + j, (__m512i)both);
    }
#endif
#pragma omp simd
  for (i64 i = j; i < width; ++i) out[i] = rounded<T>(static_cast<float>(codes[i]) * scale);
}

}  // namespace
