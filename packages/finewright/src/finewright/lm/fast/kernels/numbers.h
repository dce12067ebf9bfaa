// Numbers as they are stored and as they are computed with: float32 or bfloat16 in memory, float32 in arithmetic,
// one rounding at the end. Where the processor has AVX-512, sixteen at a time. Every kernel's result is a pure
// function of its inputs: no atomics, no order of sums that threads decide.

#pragma once

#include <algorithm>
#include <cstdint>

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>
#define HAVE_LANES 1
#ifdef __AVX512BF16__
#define HAVE_BF16_DOT 1
#endif
#endif

namespace {

using i64 = std::int64_t;
using u32 = std::uint32_t;

constexpr i64 kWorthThreads = 1 << 14;  // elements below which a second thread costs more than it gives

struct bf16 {
  std::uint16_t bits;
};

inline float value(float x) { return x; }
inline float value(bf16 x) { return __builtin_bit_cast(float, static_cast<u32>(x.bits) << 16); }

template <class T> T rounded(float x);
template <> inline float rounded<float>(float x) { return x; }
template <> inline bf16 rounded<bf16>(float x) {  // to nearest, ties to even
  const auto u = __builtin_bit_cast(u32, x);
  return {static_cast<std::uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16)};
}

// exp(x) for x <= 80, to about one unit in the last place: 2^n times a polynomial (Cephes), free of branches so
// that loops over it become vectors. Below -87 it is about 1e-38, which no sum here can tell from zero.
inline float exponential(float x) {
  x = x < -87.0f ? -87.0f : x;
  const float shifted = x * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const auto exponent = __builtin_bit_cast(u32, shifted) << 23;
  return __builtin_bit_cast(float, __builtin_bit_cast(u32, p) + exponent);
}

inline float at_most(float x, float most) { return x > most ? most : x; }

#ifdef HAVE_LANES

using Lanes = __m512;

inline __mmask16 first_lanes(i64 count) { return static_cast<__mmask16>(count < 16 ? (1u << count) - 1u : 0xffffu); }

inline Lanes load(const float* x, __mmask16 some = 0xffff) { return _mm512_maskz_loadu_ps(some, x); }
inline Lanes load(const bf16* x, __mmask16 some = 0xffff) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(some, x)), 16));
}

inline void store(float* x, Lanes v, __mmask16 some = 0xffff) { _mm512_mask_storeu_ps(x, some, v); }
inline void store(bf16* x, Lanes v, __mmask16 some = 0xffff) {
#ifdef HAVE_BF16_DOT
  const auto narrow = (__m256i)_mm512_cvtneps_pbh(v);
#else
  const __m512i u = _mm512_castps_si512(v), odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
  const __m512i up = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __m256i narrow = _mm512_cvtepi32_epi16(_mm512_srli_epi32(up, 16));
#endif
  _mm256_mask_storeu_epi16(x, some, narrow);
}

inline Lanes at_most(Lanes x, float most) { return _mm512_min_ps(_mm512_set1_ps(most), x); }  // NaN stays NaN

inline Lanes exponential(Lanes x) {
  x = _mm512_max_ps(_mm512_set1_ps(-87.0f), x);  // in this order NaN stays NaN
  const Lanes n = _mm512_roundscale_ps(x * 1.44269504f, 0);
  Lanes r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  r = _mm512_fmadd_ps(n, _mm512_set1_ps(2.12194440e-4f), r);
  Lanes p = _mm512_set1_ps(1.9875691500e-4f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1f));
  p = _mm512_fmadd_ps(p * r, r, r + 1.0f);
  return _mm512_scalef_ps(p, n);
}

#endif

// Below -77 the sigmoid stays 4e-34, which no sum here can tell from zero. A smaller one times a gate is denormal,
// which costs Intel's processors a hundred cycles, and a compiler may compute that side of the choice for all.
template <class V> inline V sigmoid(V x) { return 1.0f / (1.0f + exponential(at_most(-x, 77.0f))); }

}  // namespace
