// Attention of query rows to the cached tokens of their sequence, read where they lie.
//
// Tokens come in tiles of 128, always the same ones, and a tile is passed by all rows before the next is read. Within
// a row, softmax is kept as it grows (FlashAttention, Dao et al. 2022, arXiv:2205.14135): a tile's weights are
// exp(s - the most so far), and earlier sums shrink where that rises. A sum's order is one, however many rows there
// are. Tokens that a row does not see add exact zeros, so neighbours change nothing.
//
// In a block of sixteen tokens values lie token by token, keys number by number (pairs of them where the processor
// has bfloat16 dot products): sixteen scores grow side by side, and need no folding.

#pragma once

#include <cmath>

#include "dots.h"
#include "step.h"

namespace {

constexpr i64 kBlockTokens = 16, kTile = 8 * kBlockTokens;  // forward.py's BLOCK
constexpr i64 kQueriesTogether = 8;

// How a score grows by a number of the query and sixteen tokens' keys.
template <class T> struct Score {
  using V = Lanes;
  static constexpr i64 kNumbers = 1;
  static V query(const T* q) { return all(value(*q)); }
  static V keys(const T* k) { return load(k); }
  static Lanes add(Lanes sum, V q, V k) { return q * k + sum; }
};

#ifdef HAVE_BF16_DOT
template <> struct Score<bf16> {  // by two numbers
  using V = __m512bh;
  static constexpr i64 kNumbers = 2;
  static V query(const bf16* q) {
    std::int32_t both;
    __builtin_memcpy(&both, q, sizeof both);
    return (V)_mm512_set1_epi32(both);
  }
  static V keys(const bf16* k) { return Dot<bf16>::take(k); }
  static Lanes add(Lanes sum, V q, V k) { return _mm512_dpbf16_ps(sum, q, k); }
};
#endif

// number d of a token's key in its block
template <class T> inline i64 key_place(i64 token, i64 d) {
  constexpr i64 kNumbers = Score<T>::kNumbers;
  return (d / kNumbers * kBlockTokens + token) * kNumbers + d % kNumbers;
}

template <class T> struct Cached {  // one head's keys and values of one sequence
  const T *keys, *values;
  const i64* blocks;
  i64 block_stride, head_offset, dim;

  i64 block(i64 b) const { return blocks[b] * block_stride + head_offset; }
};

struct Seen {  // tokens that a row sees
  i64 first, last;
};

#ifdef HAVE_LANES
inline __mmask16 lanes_of(i64 from, i64 to) {  // of sixteen tokens
  return first_lanes(std::max<i64>(0, to + 1)) & ~first_lanes(std::max<i64>(0, from));
}
#endif

template <class T> struct Query {
  const T* from;
  T* to;
  Seen seen;
};

struct AttentionRoom {  // sums (rows, dim, in sixteens), the rows' greatest scores and sums of weights
  float *sums, *most, *total, *scores;  // scores: kQueriesTogether tiles
};

// s (M, kTile) of M rows with the tile's blocks from b to `last`
template <int M, class T>
inline void score(const T* const* q, const Cached<T>& cached, i64 b, i64 last, float* s) {
  using S = Score<T>;
  constexpr int B = M > 2 ? 16 / M : 8;
  for (; b <= last; b += B) {
    const T* keys[B];
    for (int i = 0; i < B; ++i) {
      const i64 here = cached.block(std::min(b + i, last));
      keys[i] = cached.keys + here;
      if (M < kQueriesTogether && b + i <= last)
        for (i64 j = 0; j < kBlockTokens * cached.dim; j += 64 / sizeof(T))
          __builtin_prefetch(cached.values + here + j);
    }
    Lanes sum[M][B];
    for (int m = 0; m < M; ++m)
      for (int i = 0; i < B; ++i) sum[m][i] = all(0.0f);
    for (i64 d = 0; d < cached.dim; d += S::kNumbers) {
      typename S::V k[B];
      for (int i = 0; i < B; ++i) k[i] = S::keys(keys[i] + d * kBlockTokens);
      for (int m = 0; m < M; ++m) {
        const typename S::V by = S::query(q[m] + d);
        for (int i = 0; i < B; ++i) sum[m][i] = S::add(sum[m][i], by, k[i]);
      }
    }
    for (int m = 0; m < M; ++m)
      for (int i = 0; i < B && b + i <= last; ++i) store(s + m * kTile + (b + i) % 8 * kBlockTokens, sum[m][i]);
  }
}

// cap tanh(s / cap), as tanh(z) = 2 sigmoid(2 z) - 1
template <class V> inline V capped(V s, float cap) { return cap * (2.0f * sigmoid(2.0f * s / cap) - 1.0f); }

// scores of a tile -> weights, zero but for those from `from` to `to`; what the row's earlier sums shrink by
[[gnu::noinline]] inline float weights_of(float* s, i64 from, i64 to, float scale, float softcap, float& most,
                                          float& total) {
  float highest = most, sum = 0.0f;
#ifdef HAVE_LANES
  constexpr int kParts = kTile / 16;
  Lanes part[kParts], high = all(most), sums = all(0.0f);
  const int first = static_cast<int>(from / 16), last = static_cast<int>(to / 16);
  for (int i = first; i <= last; ++i) {
    part[i] = load(s + 16 * i) * scale;
    if (softcap != 0.0f) part[i] = capped(part[i], softcap);
    high = _mm512_mask_max_ps(high, lanes_of(from - 16 * i, to - 16 * i), high, part[i]);
  }
  highest = _mm512_reduce_max_ps(high);
  for (int i = 0; i < kParts; ++i) {
    Lanes weight = all(0.0f);
    if (first <= i && i <= last) {
      weight = _mm512_maskz_mov_ps(lanes_of(from - 16 * i, to - 16 * i), exponential(part[i] - highest));
      sums = sums + weight;
    }
    store(s + 16 * i, weight);
  }
  sum = _mm512_reduce_add_ps(sums);
#else
  for (i64 t = 0; t < kTile; ++t) s[t] = softcap == 0.0f ? s[t] * scale : capped(s[t] * scale, softcap);
  for (i64 t = from; t <= to; ++t) highest = std::max(highest, s[t]);
#pragma omp simd reduction(+ : sum)
  for (i64 t = 0; t < kTile; ++t) {
    const float weight = exponential(s[t] - highest);
    s[t] = from <= t && t <= to ? weight : 0.0f;
    sum += s[t];
  }
#endif
  const float shrink = exponential(most - highest);
  most = highest;
  total = total * shrink + sum;
  return shrink;
}

// sums (M, D) = sums * shrink + weights (M, tokens) values (tokens, D), of D from d on 16 N or, at its end, fewer
template <int M, int N, bool kWhole, class T>
inline void weigh_part(const float* const* p, const float* shrink, const Cached<T>& cached, Seen seen, i64 d,
                       float* const* sums) {
  const i64 width = cached.dim - d;
  Lanes sum[M][N];
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) sum[m][n] = load(sums[m] + d + 16 * n) * shrink[m];
  for (i64 b = seen.first / kBlockTokens; b <= seen.last / kBlockTokens; ++b) {
    const i64 from = b * kBlockTokens, end = from + kBlockTokens - 1;
    const i64 t0 = std::max(seen.first, from), t1 = std::min(seen.last, end);
    const T* v = cached.values + cached.block(b) + d + (t0 - from) * cached.dim;
    for (i64 t = t0; t <= t1; ++t, v += cached.dim) {
      Lanes lanes[N];
      for (int n = 0; n < N; ++n) lanes[n] = kWhole ? load(v + 16 * n) : load_some(v + 16 * n, width - 16 * n);
      for (int m = 0; m < M; ++m)
        for (int n = 0; n < N; ++n) sum[m][n] = lanes[n] * p[m][t % kTile] + sum[m][n];
    }
  }
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) store(sums[m] + d + 16 * n, sum[m][n]);
}

// up to M queries to the tile's tokens that they see
template <int M, class T>
[[gnu::noinline]] void pass(const Query<T>* queries, i64 some, i64 first, const Cached<T>& cached, i64 tile,
                            float scale, float softcap, const AttentionRoom& room, i64 sums_row) {
  constexpr int N = M > 4 ? 2 : 4;
  const T* q[M];
  const float* p[M];
  float *sums[M], shrink[M] = {};
  Seen seen{tile + kTile, -1};
  for (int m = 0; m < M; ++m) {
    const i64 i = std::min<i64>(m, some - 1);
    q[m] = queries[i].from;
    p[m] = room.scores + i * kTile;
    sums[m] = room.sums + (first + i) * sums_row;
    seen.first = std::min(seen.first, std::max(tile, queries[i].seen.first));
    seen.last = std::max(seen.last, std::min(tile + kTile - 1, queries[i].seen.last));
  }
  if (seen.first > seen.last) return;
  score<M>(q, cached, seen.first / kBlockTokens, seen.last / kBlockTokens, room.scores);
  for (i64 m = 0; m < some; ++m) {
    const Seen& own = queries[m].seen;
    const i64 from = std::max<i64>(0, own.first - tile), to = std::min(kTile - 1, own.last - tile);
    float* s = room.scores + m * kTile;
    if (from <= to)
      shrink[m] = weights_of(s, from, to, scale, softcap, room.most[first + m], room.total[first + m]);
    else
      shrink[m] = 1.0f, std::fill_n(s, kTile, 0.0f);
  }
  for (int m = 1; m < M; ++m)
    if (m >= some) shrink[m] = shrink[m - 1];
  i64 d = 0;
  for (; d + 16 * N <= cached.dim; d += 16 * N) weigh_part<M, N, true>(p, shrink, cached, seen, d, sums);
  for (; d < cached.dim; d += 16) weigh_part<M, 1, false>(p, shrink, cached, seen, d, sums);
}

// queries (D) of one key head
template <class T>
void attend(const Query<T>* queries, i64 count, const Cached<T>& cached, float scale, float softcap,
            const AttentionRoom& room) {
  const i64 row = (cached.dim + 15) / 16 * 16;
  Seen seen = queries[0].seen;
  for (i64 i = 0; i < count; ++i) {
    seen = {std::min(seen.first, queries[i].seen.first), std::max(seen.last, queries[i].seen.last)};
    room.most[i] = -INFINITY, room.total[i] = 0.0f;
  }
  std::fill_n(room.sums, count * row, 0.0f);
  for (i64 tile = seen.first / kTile * kTile; tile <= seen.last; tile += kTile)
    for (i64 i = 0; i < count; i += kQueriesTogether) {
      const i64 some = std::min(kQueriesTogether, count - i);
      const auto shape = some > 4   ? pass<8, T>
                         : some > 3 ? pass<4, T>
                         : some > 2 ? pass<3, T>
                         : some > 1 ? pass<2, T>
                                    : pass<1, T>;
      shape(queries + i, some, i, cached, tile, scale, softcap, room, row);
    }
  for (i64 i = 0; i < count; ++i) {
    const Lanes share = all(1.0f / room.total[i]);
    for (i64 d = 0; d < cached.dim; d += 16)
      store_some(queries[i].to + d, load(room.sums + i * row + d) * share, cached.dim - d);
  }
}

}  // namespace
