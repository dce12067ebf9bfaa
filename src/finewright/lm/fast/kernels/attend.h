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

// out (M, width) = weights (M, tokens) values (tokens, D), of D from d on 16 N or, at its end, fewer
template <int M, int N, bool kWhole, class T>
inline void weigh_part(const float* p, i64 p_row, const Cached<T>& cached, i64 first, i64 last, i64 d, T* const* out) {
  const i64 width = cached.dim - d;
  Lanes sum[M][N];
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) sum[m][n] = all(0.0f);
  for (i64 b = first / kBlockTokens; b <= last / kBlockTokens; ++b) {
    const i64 from = b * kBlockTokens, t0 = std::max(first, from), t1 = std::min(last, from + kBlockTokens - 1);
    const T* v = cached.values + cached.block(b) + d + (t0 - from) * cached.dim;
    for (i64 t = t0; t <= t1; ++t, v += cached.dim) {
      Lanes lanes[N];
      for (int n = 0; n < N; ++n) lanes[n] = kWhole ? load(v + 16 * n) : load_some(v + 16 * n, width - 16 * n);
      for (int m = 0; m < M; ++m)
        for (int n = 0; n < N; ++n) sum[m][n] = lanes[n] * p[m * p_row + t] + sum[m][n];
    }
  }
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) store_some(out[m] + d + 16 * n, sum[m][n], width - 16 * n);
}

template <int M, class T>
void weigh(const float* p, i64 p_row, const Cached<T>& cached, i64 first, i64 last, T* const* out) {
  i64 d = 0;
  for (; d + 64 <= cached.dim; d += 64) weigh_part<M, 4, true>(p, p_row, cached, first, last, d, out);
  for (; d < cached.dim; d += 16) weigh_part<M, 1, false>(p, p_row, cached, first, last, d, out);
}

// `rows` (1 to 4) queries (D) of one key head; scores: room for rows times the tokens, in sixteens
template <class T>
[[gnu::noinline]] void attend(i64 rows, const T* const* queries, const Seen* seen, const Cached<T>& cached, float scale, float softcap,
            float* scores, T* const* out) {
  i64 first = seen[0].first, last = seen[0].last;
  for (i64 m = 1; m < rows; ++m) first = std::min(first, seen[m].first), last = std::max(last, seen[m].last);
  const i64 base = first / kBlockTokens * kBlockTokens;
  const i64 padded = (last - base) / kBlockTokens * kBlockTokens + kBlockTokens;
  for (i64 t = base; t <= last; t += kBlockTokens) {
    const i64 b = t / kBlockTokens, here = cached.block(b);
    const i64 ahead = t + kBlockTokens <= last ? (cached.block(b + 1) - here) * static_cast<i64>(sizeof(T)) : 0;
    const auto* values = reinterpret_cast<const char*>(cached.values + here);
    for (i64 i = 0; i < kBlockTokens * cached.dim * static_cast<i64>(sizeof(T)); i += 64) __builtin_prefetch(values + i);
    const Sixteen<T> keys{cached.keys + here, cached.dim, kBlockTokens};
    dots(rows, queries, keys, cached.dim, ahead, scores + t - base, padded);
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
