// What a step does to a row between its products, sixteen numbers at a time: norms, sums, rotations.

#pragma once

#include "dots.h"

namespace {

inline float sum_of(Lanes v) {
#ifdef HAVE_LANES
  return _mm512_reduce_add_ps(v);
#else
  float f[16];
  __builtin_memcpy(f, &v, sizeof f);
  for (int half = 8; half; half /= 2)
    for (int i = 0; i < half; ++i) f[i] += f[i + half];
  return f[0];
#endif
}

inline float inverse_rms(const float* x, i64 width, float eps) {
  Lanes sums[4] = {all(0.0f), all(0.0f), all(0.0f), all(0.0f)};  // a single one waits for itself
  i64 j = 0;
  for (; j + 64 <= width; j += 64)
    for (i64 i = 0; i < 4; ++i) {
      const Lanes v = load(x + j + 16 * i);
      sums[i] = v * v + sums[i];
    }
  for (; j < width; j += 16) {
    const Lanes v = load_some(x + j, width - j);
    sums[0] = v * v + sums[0];
  }
  const float sum = sum_of((sums[0] + sums[1]) + (sums[2] + sums[3]));
  return 1.0f / __builtin_sqrtf(sum / static_cast<float>(width) + eps);
}

// y = of(j, some), `some` numbers of it from j on
template <class T, class Of> inline void each_lane(i64 width, T* y, Of&& of) {
  i64 j = 0;
  for (; j + 16 <= width; j += 16) store(y + j, of(j, [](const auto* x) { return load(x); }));
  if (j < width) {
    const i64 rest = width - j;
    store_some(y + j, of(j, [rest](const auto* x) { return load_some(x, rest); }), rest);
  }
}

template <class T> inline void normed(const float* x, const float* w, i64 width, float eps, T* y) {
  const Lanes r = all(inverse_rms(x, width, eps));
  each_lane(width, y, [&](i64 j, auto read) { return read(x + j) * r * read(w + j); });
}

inline void add(float* x, const float* y, i64 width) {
  each_lane(width, x, [&](i64 j, auto read) { return read(x + j) + read(y + j); });
}

inline void multiply(float* x, const float* by, i64 width) {
  each_lane(width, x, [&](i64 j, auto read) { return read(x + j) * read(by + j); });
}

template <class T> inline void rounded_row(const float* x, i64 width, T* y) {
  each_lane(width, y, [&](i64 j, auto read) { return read(x + j); });
}

// y (dim,) = x whose first `rotary` numbers are turned, number j with number j + rotary / 2
template <class T>
inline void rotated(const float* x, const float* cos, const float* sin, i64 rotary, i64 dim, T* y) {
  const i64 half = rotary / 2;
  each_lane(half, y, [&](i64 j, auto read) {
    return read(x + j) * read(cos + j) - read(x + half + j) * read(sin + j);
  });
  each_lane(half, y + half, [&](i64 j, auto read) {
    return read(x + half + j) * read(cos + half + j) + read(x + j) * read(sin + half + j);
  });
  rounded_row(x + rotary, dim - rotary, y + rotary);
}

}  // namespace
