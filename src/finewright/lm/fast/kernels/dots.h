// Dot products of rows with rows, read where they lie: y (M, 16) = x (M, K) W^T (16, K).
//
// A sum's order is one, however many rows there are: sixteen lanes take the numbers in turn (pairs of them where the
// processor has bfloat16 dot products), and are folded by halves. So a row's result is a function of that row alone.
// Nothing is packed: a block of 4 x 4 sums loads a number for every two products, and folding sixteen sums at once
// costs as much as 20 products.

#pragma once

#include "numbers.h"

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors wider than the processor's stay within this file

namespace {

#ifdef HAVE_LANES

inline Lanes load_some(const float* x, i64 count) { return load(x, first_lanes(count)); }
inline Lanes load_some(const bf16* x, i64 count) { return load(x, first_lanes(count)); }
template <class T> inline void store_some(T* x, Lanes v, i64 count) { store(x, v, first_lanes(count)); }
inline Lanes all(float x) { return _mm512_set1_ps(x); }

#else

typedef float Lanes __attribute__((vector_size(64)));

inline Lanes all(float x) { return Lanes{} + x; }
template <class T> inline Lanes load_some(const T* x, i64 count) {
  Lanes v{};
  for (i64 i = 0; i < std::min<i64>(count, 16); ++i) v[i] = value(x[i]);
  return v;
}
template <class T> inline void store_some(T* x, Lanes v, i64 count) {
  for (i64 i = 0; i < std::min<i64>(count, 16); ++i) x[i] = rounded<T>(v[i]);
}
inline Lanes load(const float* x) {
  Lanes v;
  __builtin_memcpy(&v, x, sizeof v);
  return v;
}
inline Lanes load(const bf16* x) {
  typedef std::uint16_t Halves __attribute__((vector_size(32)));
  typedef u32 Words __attribute__((vector_size(64)));
  Halves h;
  __builtin_memcpy(&h, x, sizeof h);
  return (Lanes)(__builtin_convertvector(h, Words) << 16);
}
inline void store(float* x, Lanes v) { __builtin_memcpy(x, &v, sizeof v); }
inline void store(bf16* x, Lanes v) {
  for (i64 i = 0; i < 16; ++i) x[i] = rounded<bf16>(v[i]);
}

#endif

// How a number format is multiplied: `kWide` numbers at a time.
template <class T> struct Dot {
  using V = Lanes;
  static constexpr i64 kWide = 16;
  static V take(const T* x) { return load(x); }
  static V take_some(const T* x, i64 count) { return load_some(x, count); }
  static Lanes add(Lanes sum, V a, V b) { return a * b + sum; }
};

#ifdef HAVE_BF16_DOT
template <> struct Dot<bf16> {
  using V = __m512bh;
  static constexpr i64 kWide = 32;
  static V take(const bf16* x) { return (V)_mm512_loadu_si512(x); }
  static V take_some(const bf16* x, i64 count) {
    return (V)_mm512_maskz_loadu_epi16(static_cast<__mmask32>((1ull << count) - 1), x);
  }
  static Lanes add(Lanes sum, V a, V b) { return _mm512_dpbf16_ps(sum, a, b); }
};
#endif

// The sixteen sums of sixteen lanes each: lane i with i + 8, then + 4, + 2, + 1.
inline Lanes fold16(const Lanes* s) {
#ifdef HAVE_LANES
  Lanes a[8], b[4], c[2];
  for (int i = 0; i < 8; ++i)
    a[i] = _mm512_shuffle_f32x4(s[2 * i], s[2 * i + 1], 0x44) + _mm512_shuffle_f32x4(s[2 * i], s[2 * i + 1], 0xee);
  for (int i = 0; i < 4; ++i)
    b[i] = _mm512_shuffle_f32x4(a[2 * i], a[2 * i + 1], 0x88) + _mm512_shuffle_f32x4(a[2 * i], a[2 * i + 1], 0xdd);
  for (int i = 0; i < 2; ++i)
    c[i] = _mm512_shuffle_ps(b[2 * i], b[2 * i + 1], 0x44) + _mm512_shuffle_ps(b[2 * i], b[2 * i + 1], 0xee);
  const Lanes d = _mm512_shuffle_ps(c[0], c[1], 0x88) + _mm512_shuffle_ps(c[0], c[1], 0xdd);
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_ps(order, d);
#else
  Lanes found;
  for (int i = 0; i < 16; ++i) {
    float f[16];
    __builtin_memcpy(f, &s[i], sizeof f);
    for (int half = 8; half; half /= 2)
      for (int j = 0; j < half; ++j) f[j] += f[j + half];
    found[i] = f[0];
  }
  return found;
#endif
}

// sums of M rows of x with N rows of w; `ahead`: bytes from what is read to what will be soon, 0 for none
template <int M, int N, class T>
inline void accumulate(const T* const* x, const T* const* w, i64 width, i64 ahead, Lanes* sum) {
  using D = Dot<T>;
  Lanes s[M * N];
  for (int i = 0; i < M * N; ++i) s[i] = all(0.0f);
  i64 k = 0;
  for (; k + D::kWide <= width; k += D::kWide) {
    typename D::V a[M];
    for (int m = 0; m < M; ++m) a[m] = D::take(x[m] + k);
    for (int n = 0; n < N; ++n) {
      const typename D::V b = D::take(w[n] + k);
      if (ahead) __builtin_prefetch(reinterpret_cast<const char*>(w[n] + k) + ahead);
      for (int m = 0; m < M; ++m) s[m * N + n] = D::add(s[m * N + n], a[m], b);
    }
  }
  if (k < width) {
    typename D::V a[M];
    for (int m = 0; m < M; ++m) a[m] = D::take_some(x[m] + k, width - k);
    for (int n = 0; n < N; ++n) {
      const typename D::V b = D::take_some(w[n] + k, width - k);
      for (int m = 0; m < M; ++m) s[m * N + n] = D::add(s[m * N + n], a[m], b);
    }
  }
  for (int i = 0; i < M * N; ++i) sum[i] = s[i];
}

// Sixteen rows of a matrix, or the `count` that there are.
template <class T> struct Sixteen {
  const T* first;
  i64 row, count;
  const T* at(i64 n) const { return first + std::min(n, count - 1) * row; }
};

// out (M, 16), columns from `begin` to `end`, which are in eights; columns beyond the count repeat the last
template <int M, class T>
inline void dots(const T* const* x, const Sixteen<T>& w, i64 width, i64 ahead, int begin, int end, float* out,
                 i64 out_row) {
  constexpr int N = M == 1 ? 8 : M == 2 ? 8 : 4;
  constexpr int kRounds = M == 1 ? 1 : 16 / N;  // one row takes both rounds before it folds
  for (int round = begin / N; round < (M == 1 ? 1 : end / N); ++round) {
    Lanes sums[16];
    const T* rows[16];
    for (int n = 0; n < 16; ++n) rows[n] = w.at(round * N + n);
    accumulate<M, N>(x, rows, width, ahead, sums);
    if (M == 1) accumulate<M, N>(x, rows + 8, width, ahead, sums + 8);
    for (int i = M == 1 ? 16 : M * N; i < 16; ++i) sums[i] = all(0.0f);
    alignas(64) float found[16];
    store(found, fold16(sums));
    for (int m = 0; m < M; ++m)
      for (int n = 0; n < 16 / kRounds; ++n) out[m * out_row + round * N + n] = found[m * N + n];
  }
}

// the same for 1 to 4 rows; a part of the columns only for more than one
template <class T>
inline void dots(i64 rows, const T* const* x, const Sixteen<T>& w, i64 width, i64 ahead, float* out, i64 out_row,
                 int begin = 0, int end = 16) {
  switch (rows) {
    case 1: return dots<1>(x, w, width, ahead, 0, 16, out, out_row);
    case 2: return dots<2>(x, w, width, ahead, begin, end, out, out_row);
    case 3: return dots<3>(x, w, width, ahead, begin, end, out, out_row);
    default: return dots<4>(x, w, width, ahead, begin, end, out, out_row);
  }
}

}  // namespace
