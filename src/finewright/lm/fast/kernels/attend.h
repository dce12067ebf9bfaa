// Attention of a few query rows to the cached tokens of their sequence, read block by block where they lie.
//
// Scores of up to four rows are kept for all tokens, so that softmax is taken once: exp(s - max), then the values'
// sum in the order of the tokens. Tokens a row does not see add exact zeros, so neighbours change nothing.

#pragma once

#include <cmath>

#include "dots.h"
#include "step.h"

namespace {

constexpr i64 kBlockTokens = 16;  // forward.py's BLOCK

template <class T> struct Cached {  // one head's keys and values of one sequence
  const T *keys, *values;
  const i64* blocks;
  i64 block_stride, head_offset, dim;

  i64 block(i64 b) const { return blocks[b] * block_stride + head_offset; }
};

struct Seen {  // tokens that a row sees
  i64 first, last;
};

// s (from first to last) -> their weights; everything else up to `padded` zeros
inline void softmax_row(float* s, i64 first, i64 last, i64 padded) {
  float most = -INFINITY, sum = 0.0f;
#pragma omp simd reduction(max : most)
  for (i64 t = first; t <= last; ++t) most = std::max(most, s[t]);
#pragma omp simd reduction(+ : sum)
  for (i64 t = first; t <= last; ++t) {
    s[t] = exponential(s[t] - most);
    sum += s[t];
  }
  const float share = 1.0f / sum;
#pragma omp simd
  for (i64 t = first; t <= last; ++t) s[t] *= share;
  for (i64 t = 0; t < first; ++t) s[t] = 0.0f;
  for (i64 t = last + 1; t < padded; ++t) s[t] = 0.0f;
}

// out (M, D) = weights (M, tokens) values (tokens, D), 64 of D at a time
template <int M, class T>
void weigh(const float* p, i64 p_row, const Cached<T>& cached, i64 first, i64 last, T* const* out) {
  for (i64 d = 0; d < cached.dim; d += 64) {
    const i64 width = std::min<i64>(64, cached.dim - d);
    Lanes sum[M][4];
    for (int m = 0; m < M; ++m)
      for (int n = 0; n < 4; ++n) sum[m][n] = all(0.0f);
    for (i64 b = first / kBlockTokens; b <= last / kBlockTokens; ++b) {
      const T* values = cached.values + cached.block(b) + d;
      const i64 t0 = std::max(first, b * kBlockTokens), t1 = std::min(last, b * kBlockTokens + kBlockTokens - 1);
      for (i64 t = t0; t <= t1; ++t) {
        const T* v = values + (t - b * kBlockTokens) * cached.dim;
        Lanes lanes[4];
        for (int n = 0; n < 4; ++n) lanes[n] = width == 64 ? load(v + 16 * n) : load_some(v + 16 * n, std::max<i64>(0, width - 16 * n));
        for (int m = 0; m < M; ++m)
          for (int n = 0; n < 4; ++n) sum[m][n] = lanes[n] * p[m * p_row + t] + sum[m][n];
      }
    }
    for (int m = 0; m < M; ++m)
      for (i64 n = 0; 16 * n < width; ++n) store_some(out[m] + d + 16 * n, sum[m][n], width - 16 * n);
  }
}

// `rows` (1 to 4) queries (D) of one key head; scores: room for rows times the tokens, in sixteens
template <class T>
void attend(i64 rows, const T* const* queries, const Seen* seen, const Cached<T>& cached, float scale, float softcap,
            float* scores, T* const* out) {
  i64 first = seen[0].first, last = seen[0].last;
  for (i64 m = 1; m < rows; ++m) first = std::min(first, seen[m].first), last = std::max(last, seen[m].last);
  const i64 base = first / kBlockTokens * kBlockTokens;
  const i64 padded = (last - base) / kBlockTokens * kBlockTokens + kBlockTokens;
  for (i64 t = base; t <= last; t += kBlockTokens) {
    const T* keys = cached.keys + cached.block(t / kBlockTokens);
    dots(rows, queries, Sixteen<T>{keys, cached.dim, kBlockTokens}, cached.dim, 0, scores + t - base, padded);
  }
  for (i64 m = 0; m < rows; ++m) {
    float* s = scores + m * padded;
    const i64 from = seen[m].first - base, to = seen[m].last - base;
#pragma omp simd
    for (i64 t = from; t <= to; ++t) s[t] *= scale;
    if (softcap != 0.0f)  // cap tanh(s / cap), as tanh(z) = 2 sigmoid(2 z) - 1
      for (i64 t = from; t <= to; ++t) s[t] = softcap * (2.0f * sigmoid(2.0f * s[t] / softcap) - 1.0f);
    softmax_row(s, from, to, padded);
  }
  const float* p = scores - base;
  switch (rows) {
    case 1: return weigh<1>(p, padded, cached, first, last, out);
    case 2: return weigh<2>(p, padded, cached, first, last, out);
    case 3: return weigh<3>(p, padded, cached, first, last, out);
    default: return weigh<4>(p, padded, cached, first, last, out);
  }
}

}  // namespace
