// Dot products of rows with rows, read where they lie: y (M, 16) = x (M, K) W^T (16, K).
//
// A sum's order is one, however many rows there are: sixteen lanes take the numbers in turn (pairs of them where the
// processor has bfloat16 dot products), and are folded by halves. So a row's result is a function of that row alone.
// Nothing is packed: a block of 4 x 4 or 8 x 2 sums loads a number for every two products, and folding sixteen sums at
// once costs as much as 20 products.

#pragma once

#include "numbers.h"

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors wider than the processor's stay within this file

namespace {

constexpr i64 kManyRows = 16;

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

// Not where one is NaN. With lanes also not where a row's end is below zero, which the caller then looks at.
inline bool all_below(const float* x, i64 count, float most) {
#ifdef HAVE_LANES
  for (i64 j = 0; j < count; j += 16)
    if (_mm512_cmp_ps_mask(load_some(x + j, count - j), all(most), _CMP_NLT_UQ)) return false;
#else
  for (i64 j = 0; j < count; ++j)
    if (!(x[j] < most)) return false;
#endif
  return true;
}

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

// Rows of a weight as they are multiplied: `ahead` bytes beyond what is read will be read soon, where `kFetch`.
template <class T, bool kFetch> struct PlainRow {
  static constexpr int kAlone = 1;  // how many are read side by side for one row of x
  const T* at;
  i64 ahead;
  typename Dot<T>::V take(i64 k) const {
    if constexpr (kFetch) __builtin_prefetch(reinterpret_cast<const char*>(at + k) + ahead);
    return Dot<T>::take(at + k);
  }
  typename Dot<T>::V take_some(i64 k, i64 count) const { return Dot<T>::take_some(at + k, count); }
};

template <class T, bool kFetch> struct PlainRows {
  using Row = PlainRow<T, kFetch>;
  const T* first;
  i64 row;
  Row at(i64 n, i64 ahead) const { return {first + n * row, ahead * row * static_cast<i64>(sizeof(T))}; }
};

// sums (M, N) of M rows of x with N rows of w
template <int M, int N, class T, class Row>
inline void accumulate(const T* const* x, Row* w, i64 width, Lanes* sums) {
  using D = Dot<T>;
  Lanes s[M * N];
  for (int i = 0; i < M * N; ++i) s[i] = all(0.0f);
  i64 k = 0;
  for (; k + D::kWide <= width; k += D::kWide) {
    typename D::V b[N];
    for (int n = 0; n < N; ++n) b[n] = w[n].take(k);
    for (int m = 0; m < M; ++m) {
      const typename D::V a = D::take(x[m] + k);
      for (int n = 0; n < N; ++n) s[m * N + n] = D::add(s[m * N + n], a, b[n]);
    }
  }
  if (k < width) {
    typename D::V b[N];
    for (int n = 0; n < N; ++n) b[n] = w[n].take_some(k, width - k);
    for (int m = 0; m < M; ++m) {
      const typename D::V a = D::take_some(x[m] + k, width - k);
      for (int n = 0; n < N; ++n) s[m * N + n] = D::add(s[m * N + n], a, b[n]);
    }
  }
  for (int i = 0; i < M * N; ++i) sums[i] = s[i];
}

#ifdef HAVE_LANES

// y (4, count) of four folds of 4 x 4 sums each, whose rows are their quarters
inline void store_quarters(const Lanes* f, i64 count, i64 some, float* y, i64 y_row) {
  const Lanes a = _mm512_shuffle_f32x4(f[0], f[1], 0x44), b = _mm512_shuffle_f32x4(f[2], f[3], 0x44);
  const Lanes c = _mm512_shuffle_f32x4(f[0], f[1], 0xee), d = _mm512_shuffle_f32x4(f[2], f[3], 0xee);
  const Lanes rows[4] = {_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd),
                         _mm512_shuffle_f32x4(c, d, 0x88), _mm512_shuffle_f32x4(c, d, 0xdd)};
  for (i64 m = 0; m < some; ++m) store_some(y + m * y_row, rows[m], count);
}

#endif

// y (M, count <= 16), of which `some` rows are written. Few rows of x: those of w are read from end to end and few
// at a time, as memory gives them soonest.
template <int M, int N, class T, class Rows>
[[gnu::noinline]] void dots(const Rows& w, i64 count, i64 ahead, i64 width, const T* x, i64 x_row, i64 some, float* y,
                            i64 y_row) {
  constexpr int kEach = 16 / M;  // columns of sixteen sums
  const T* at[M];
  for (int m = 0; m < M; ++m) at[m] = x + std::min<i64>(m, some - 1) * x_row;
#ifdef HAVE_LANES
  if constexpr (M == 4 && N == 4) {  // past memory: a load of what was stored in parts waits for all of them
    Lanes folds[4] = {};
    for (int n = 0; n < count; n += N) {
      typename Rows::Row rows[N];
      for (int j = 0; j < N; ++j) rows[j] = w.at(std::min<i64>(n + j, count - 1), ahead);
      Lanes sums[16];
      accumulate<M, N>(at, rows, width, sums);
      folds[n / N] = fold16(sums);
    }
    return store_quarters(folds, count, some, y, y_row);
  }
#endif
  alignas(64) float out[M][16];
  for (int n = 0; n < count; n += kEach) {
    Lanes sums[16] = {};
    for (int i = 0; i < kEach && n + i < count; i += N) {
      typename Rows::Row rows[N];
      for (int j = 0; j < N; ++j) rows[j] = w.at(std::min<i64>(n + i + j, count - 1), ahead);
      accumulate<M, N>(at, rows, width, sums + i * M);
    }
    alignas(64) float found[16];
    store(found, fold16(sums));
    for (int i = 0; i < kEach; i += N)
      for (int m = 0; m < M; ++m)
        for (int j = 0; j < N; ++j) out[m][n + i + j] = found[i * M + m * N + j];
  }
  for (i64 m = 0; m < some; ++m) store_some(y + m * y_row, load(out[m]), count);
}

struct Ahead {  // what will be read from memory after this
  const void* from;
  i64 bytes;
};

// Ask for one of `parts` of it: as each comes while others are multiplied, nobody waits for memory.
inline void fetch_part(const Ahead& ahead, i64 part, i64 parts) {
  const i64 size = (ahead.bytes / parts + 63) / 64 * 64, end = std::min((part + 1) * size, ahead.bytes);
  for (i64 i = part * size; i < end; i += 64) __builtin_prefetch(static_cast<const char*>(ahead.from) + i, 0, 2);
}

// y (rows, count <= 16) = x (rows, K) w (count, K)^T, few rows of x: w comes from memory, and so do the rows after it
template <class T, class Rows>
void multiply_few(const Rows& w, i64 count, i64 width, const T* x, i64 x_row, i64 rows, float* y, i64 y_row) {
  for (i64 r = 0; r < rows; r += 8) {
    const i64 some = std::min<i64>(8, rows - r), far = some > 4 ? 4 : 8;
    const auto shape = some > 4   ? dots<8, 2, T, Rows>
                       : some > 2 ? dots<4, 4, T, Rows>
                       : some > 1 ? dots<2, 4, T, Rows>
                                  : dots<1, Rows::Row::kAlone, T, Rows>;
    shape(w, count, r == 0 ? far : 0, width, x + r * x_row, x_row, some, y + r * y_row, y_row);
  }
}

// The same of many rows, while w stays in a first cache.
template <class T>
void multiply_many(const PlainRows<T, false>& w, i64 count, i64 width, const T* x, i64 x_row, i64 rows, float* y,
                   i64 y_row, const Ahead& ahead) {
  using Rows = PlainRows<T, false>;
  const i64 together = rows > kManyRows ? 4 : 8, passes = (rows + together - 1) / together;
  for (i64 r = 0; r < rows; r += together) {
    const i64 some = std::min(together, rows - r);
    if (together == 4) fetch_part(ahead, r / together, passes);
    const auto shape = some > 4   ? dots<8, 2, T, Rows>
                       : some > 2 ? dots<4, 4, T, Rows>
                       : some > 1 ? dots<2, 4, T, Rows>
                                  : dots<1, 1, T, Rows>;
    shape(w, count, 0, width, x + r * x_row, x_row, some, y + r * y_row, y_row);
  }
}

}  // namespace
