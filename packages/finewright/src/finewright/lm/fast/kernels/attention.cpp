// Attention by segments, forward and backward. Called from native.py with raw pointers; the formula is in
// attention.py. Each operand is packed in the layout that its product needs, in the forward once per call, in the
// backward by each task for its own tokens:
//   panels  [T/16][D/2][16]: sixteen tokens side by side, for sums over D
//   pairs   [T/2][D]: two tokens side by side, for sums over tokens
//
// Shape legend: T tokens, H query heads, KV key heads, D width of a query's and key's head, E of a value's.

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "products.h"

#ifdef HAVE_BF16_DOT

namespace {

struct Strided {  // (T, heads, D) in units of elements
  const bf16* data;
  i64 token, head;
  const bf16* row(i64 t, i64 h) const { return data + t * token + h * head; }
};

struct Segment {  // a run of tokens that see themselves causally, and all of a prefix before it
  i64 start, length, prefix_start, prefix_length;
};

constexpr i64 kStep = kTiles ? 32 : 16;                // a block's keys, and its rows where they are summed over
constexpr i64 kRows = kTiles ? 64 : 48, kKeys = 128;   // forward block
constexpr i64 kBackRows = 64, kBackKeys = 64;          // backward block

// Tokens that are packed: a block may reach beyond the last one, and finds zeros there.
inline i64 padded(i64 tokens) { return up(tokens, 16) + (kTiles ? kStep : 0); }

inline const u32* in_pairs(const bf16* x) { return reinterpret_cast<const u32*>(x); }

void pack_panel(const Strided& x, i64 head, i64 panel, i64 tokens, i64 dim, u32* out) {
  static const u32 zeros[16] = {};
  for (i64 e = 0; e < dim / 2; e += 16) {
    const u32* rows[16];
    u32 part[16][16];
    const i64 width = std::min<i64>(16, dim / 2 - e);
    for (int l = 0; l < 16; ++l) {
      const i64 t = panel * 16 + l;
      rows[l] = t < tokens ? reinterpret_cast<const u32*>(x.row(t, head)) + e : zeros;
      if (width < 16 && t < tokens) {
        std::memcpy(part[l], rows[l], width * sizeof(u32));
        rows[l] = part[l];
      }
    }
    if (width == 16) {
      turn16(rows, out + e * 16);
      continue;
    }
    for (i64 j = 0; j < width; ++j)
      for (int l = 0; l < 16; ++l) out[(e + j) * 16 + l] = rows[l][j];
  }
}

void pack_pair(const Strided& x, i64 head, i64 pair, i64 tokens, i64 dim, u32* out) {
  const bf16* first = x.row(std::min(2 * pair, tokens - 1), head);
  const bf16* second = x.row(std::min(2 * pair + 1, tokens - 1), head);
  const u32 keep = (2 * pair < tokens ? 0xffffu : 0u) | (2 * pair + 1 < tokens ? 0xffff0000u : 0u);
#pragma omp simd
  for (i64 j = 0; j < dim; ++j)
    out[j] = (first[j].bits | static_cast<u32>(second[j].bits) << 16) & keep;
}

u32* panels_of(Buffer& buffer, const Strided& x, i64 heads, i64 tokens, i64 dim) {
  u32* out = buffer.as<u32>();
  const i64 count = padded(tokens) / 16;
#pragma omp parallel for collapse(2) schedule(static)
  for (i64 h = 0; h < heads; ++h)
    for (i64 p = 0; p < count; ++p)
      pack_panel(x, h, p, tokens, dim, out + (h * count + p) * dim / 2 * 16);
  return out;
}

u32* pairs_of(Buffer& buffer, const Strided& x, i64 heads, i64 tokens, i64 dim) {
  u32* out = buffer.as<u32>();
  const i64 count = padded(tokens) / 2;
#pragma omp parallel for collapse(2) schedule(static)
  for (i64 h = 0; h < heads; ++h)
    for (i64 p = 0; p < count; ++p) pack_pair(x, h, p, tokens, dim, out + (h * count + p) * dim);
  return out;
}

inline __mmask16 between(i64 column, i64 low, i64 high) {  // lanes with low <= column + lane < high
  const i64 first = std::clamp<i64>(low - column, 0, 16), last = std::clamp<i64>(high - column, 0, 16);
  return static_cast<__mmask16>((1u << last) - 1u) & static_cast<__mmask16>(~((1u << first) - 1u));
}

struct Keys {  // the keys that one query row may see within a range of keys
  i64 low, high;
};

struct Range {  // keys [start, end), all older than the queries or causal with them
  i64 start, end;
  bool causal;
};

struct View {  // who sees whom in one segment
  Segment segment;
  i64 window;  // 0: none
  Keys keys(i64 row, const Range& range) const {
    if (row < segment.start || row >= segment.start + segment.length) return {0, 0};
    const i64 high = range.causal ? row + 1 : range.end;
    if (!window) return {range.start, high};
    // a row's position is its place after the prefix; keys of the prefix count from the prefix's start
    const i64 position = range.causal ? row : row - segment.start + range.end;
    return {std::max(range.start, position - window + 1), high};
  }
  Range prefix() const {
    return {segment.prefix_start, segment.prefix_start + segment.prefix_length, false};
  }
  Range own(i64 rows_end) const { return {segment.start, rows_end, true}; }
};

struct Shape {
  i64 tokens, heads, kv_heads, dim, v_dim;
};

struct Softmax {  // running maximum and sum of each row of a block (Dao et al. 2022, algorithm 1)
  float top[kRows], sum[kRows];
};

void attend(const View& view, const Range& range, i64 row0, i64 rows, const Strided& q, i64 head,
            const u32* k_panels, const u32* v_pairs, const Shape& shape, float scale, float* scores,
            bf16* weights, Softmax& state, float* out) {
  i64 low = range.end, high = 0;
  for (i64 i = row0; i < row0 + rows; ++i) {
    const Keys keys = view.keys(i, range);
    low = std::min(low, keys.low);
    high = std::max(high, keys.high);
  }
  for (i64 key0 = low / 16 * 16; key0 < high; key0 += kKeys) {
    const i64 columns = std::min(kKeys, up(high - key0, kStep));
    product(rows, columns, shape.dim / 2, {in_pairs(q.row(row0, head)), q.token / 2, 1},
            {k_panels + key0 / 2 * shape.dim, shape.dim * 8, 16}, scores, kKeys, false);
    for (i64 r = 0; r < rows; ++r) {
      const Keys keys = view.keys(row0 + r, range);
      float* s = scores + r * kKeys;
      __m512 top = _mm512_set1_ps(state.top[r]);
      for (i64 c = 0; c < columns; c += 16) {
        const __m512 scaled = _mm512_mul_ps(_mm512_loadu_ps(s + c), _mm512_set1_ps(scale));
        top = _mm512_mask_max_ps(top, between(key0 + c, keys.low, keys.high), top, scaled);
        _mm512_storeu_ps(s + c, scaled);
      }
      const float new_top = _mm512_reduce_max_ps(top);
      const __m512 shift = _mm512_set1_ps(new_top);
      __m512 sum = _mm512_setzero_ps();
      for (i64 c = 0; c < columns; c += 16) {
        const __mmask16 seen = between(key0 + c, keys.low, keys.high);
        const __m512 p =
            _mm512_maskz_mov_ps(seen, exponential(_mm512_sub_ps(_mm512_loadu_ps(s + c), shift)));
        sum = _mm512_add_ps(sum, p);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(weights + r * kKeys + c),
                            (__m256i)_mm512_cvtneps_pbh(p));
      }
      const float shrink = exponential(state.top[r] - new_top);
      state.sum[r] = state.sum[r] * shrink + _mm512_reduce_add_ps(sum);
      if (new_top != state.top[r]) {
        float* o = out + r * shape.v_dim;
        for (i64 c = 0; c < shape.v_dim; c += 16)
          _mm512_storeu_ps(o + c, _mm512_mul_ps(_mm512_loadu_ps(o + c), _mm512_set1_ps(shrink)));
      }
      state.top[r] = new_top;
    }
    product(rows, shape.v_dim, columns / 2, {in_pairs(weights), kKeys / 2, 1},
            {v_pairs + key0 / 2 * shape.v_dim, 16, shape.v_dim}, out, shape.v_dim, true);
  }
}

void attention_forward(Strided q, Strided k, Strided v, bf16* out, float* lse, const Shape& shape,
                       const Segment* segments, i64 count, float scale, i64 window) {
  const i64 length = padded(shape.tokens), group = shape.heads / shape.kv_heads;
  Buffer k_memory(shape.kv_heads * length * shape.dim * 2), v_memory(shape.kv_heads * length * shape.v_dim * 2);
  const u32* k_panels = panels_of(k_memory, k, shape.kv_heads, shape.tokens, shape.dim);
  const u32* v_pairs = pairs_of(v_memory, v, shape.kv_heads, shape.tokens, shape.v_dim);
  Buffer first_memory((count + 1) * 8);  // blocks of rows before each segment
  i64* first = first_memory.as<i64>();
  first[0] = 0;
  for (i64 s = 0; s < count; ++s) first[s + 1] = first[s] + (segments[s].length + kRows - 1) / kRows;
  const i64 blocks = first[count];
#pragma omp parallel
  {
    Buffer scores(kRows * kKeys * 4), weights(kRows * kKeys * 2), sums(kRows * shape.v_dim * 4);
    Softmax state;
    const UsingTiles tiles;
#pragma omp for schedule(dynamic, 1)
    for (i64 task = 0; task < blocks * shape.heads; ++task) {
      const i64 head = task % shape.heads, block = blocks - 1 - task / shape.heads;
      const i64 s = std::upper_bound(first, first + count + 1, block) - first - 1;
      const View view{segments[s], window};
      const i64 row0 = segments[s].start + (block - first[s]) * kRows;
      const i64 end = std::min(row0 + kRows, segments[s].start + segments[s].length), rows = end - row0;
      const u32* kp = k_panels + head / group * (length * shape.dim / 2);
      const u32* vp = v_pairs + head / group * (length * shape.v_dim / 2);
      float* o = sums.as<float>();
      std::fill(o, o + rows * shape.v_dim, 0.0f);
      std::fill(state.top, state.top + rows, -1.0e30f);
      std::fill(state.sum, state.sum + rows, 0.0f);
      if (segments[s].prefix_length)
        attend(view, view.prefix(), row0, rows, q, head, kp, vp, shape, scale, scores.as<float>(),
               weights.as<bf16>(), state, o);
      attend(view, view.own(end), row0, rows, q, head, kp, vp, shape, scale, scores.as<float>(),
             weights.as<bf16>(), state, o);
      for (i64 r = 0; r < rows; ++r) {
        bf16* y = out + ((row0 + r) * shape.heads + head) * shape.v_dim;
        const float share = 1.0f / state.sum[r];
        for (i64 c = 0; c < shape.v_dim; ++c) y[c] = rounded<bf16>(o[r * shape.v_dim + c] * share);
        lse[head * shape.tokens + row0 + r] = state.top[r] + __builtin_logf(state.sum[r]);
      }
    }
  }
}

struct Packed {  // what the backward reads, from token `base` on, which is in sixteens
  i64 base;
  u32 *k_panels, *v_panels, *k_pairs, *q_pairs, *d_pairs;
};

void pack_panels(const Packed& packed, const Strided& x, i64 head, i64 tokens, i64 span, i64 dim, u32* out) {
  for (i64 p = 0; p < padded(span) / 16; ++p) pack_panel(x, head, packed.base / 16 + p, tokens, dim, out + p * dim * 8);
}

void pack_pairs(const Packed& packed, const Strided& x, i64 head, i64 tokens, i64 span, i64 dim, u32* out) {
  for (i64 p = 0; p < padded(span) / 2; ++p) pack_pair(x, head, packed.base / 2 + p, tokens, dim, out + p * dim);
}

struct Scratch {  // one thread's numbers of one block
  float *scores, *d_weights, *dq;
  bf16* d_scores;           // rows as they are, for dq
  u32 *w_pairs, *ds_pairs;  // rows in pairs, for dv and dk
  u32* turned;              // one of these with a key's pairs side by side, as tiles want them

  // the left side of a sum over rows: a key's weights, from key `skip` on
  Left by_key(const u32* by_pair, i64 pairs, i64 skip) const {
    if (!kTiles) return {by_pair + skip, 1, kBackKeys};
    for (i64 k = 0; k < kBackKeys; k += 16)
      for (i64 p = 0; p < pairs; p += 16) {
        const u32* rows[16];
        for (i64 i = 0; i < 16; ++i) rows[i] = by_pair + (p + i) * kBackKeys + k;
        turn16(rows, turned + k * (kBackRows / 2) + p, kBackRows / 2);
      }
    return {turned + skip * (kBackRows / 2), kBackRows / 2, 1};
  }
};

// p = exp(s scale - lse), ds = p (dp - delta) scale, for one pair of rows
void pair_of_rows(const View& view, const Range& range, i64 row, i64 pair, i64 rows, i64 key0, i64 columns,
                  const float* lse, const float* delta, float scale, const Scratch& scratch) {
  Keys keys[2] = {{0, 0}, {0, 0}};
  for (int r = 0; r < 2; ++r)
    if (pair * 2 + r < rows) keys[r] = view.keys(row + r, range);
  const __m512i merge = _mm512_set_epi16(
      31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18,
      2, 17, 1, 16, 0);
  for (i64 c = 0; c < columns; c += 16) {
    __m512 p[2], ds[2];
    for (int r = 0; r < 2; ++r) {
      const __mmask16 seen = between(key0 + c, keys[r].low, keys[r].high);
      if (!seen) {
        p[r] = ds[r] = _mm512_setzero_ps();
      } else {
        const i64 at = (pair * 2 + r) * kBackKeys + c;
        const __m512 s = _mm512_fmsub_ps(_mm512_loadu_ps(scratch.scores + at), _mm512_set1_ps(scale),
                                         _mm512_set1_ps(lse[row + r]));
        p[r] = _mm512_maskz_mov_ps(seen, exponential(s));
        const __m512 d =
            _mm512_sub_ps(_mm512_loadu_ps(scratch.d_weights + at), _mm512_set1_ps(delta[row + r]));
        ds[r] = _mm512_mul_ps(_mm512_mul_ps(p[r], d), _mm512_set1_ps(scale));
      }
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(scratch.d_scores + (pair * 2 + r) * kBackKeys + c),
                          (__m256i)_mm512_cvtneps_pbh(ds[r]));
    }
    const __m512i both_p = (__m512i)_mm512_cvtne2ps_pbh(p[1], p[0]);
    const __m512i both_ds = (__m512i)_mm512_cvtne2ps_pbh(ds[1], ds[0]);
    _mm512_storeu_si512(scratch.w_pairs + pair * kBackKeys + c, _mm512_permutexvar_epi16(merge, both_p));
    _mm512_storeu_si512(scratch.ds_pairs + pair * kBackKeys + c, _mm512_permutexvar_epi16(merge, both_ds));
  }
}

void attend_back(const View& view, const Range& range, i64 row0, i64 rows, const Strided& q, const Strided& d,
                 i64 head, const Packed& packed, const Shape& shape, const float* lse, const float* delta,
                 float scale, const Scratch& scratch, float* dk, float* dv) {
  const i64 base = packed.base;
  i64 low = range.end, high = 0;
  for (i64 i = row0; i < row0 + rows; ++i) {
    const Keys keys = view.keys(i, range);
    if (keys.high > keys.low) low = std::min(low, keys.low);
    high = std::max(high, keys.high);
  }
  for (i64 key0 = low / 16 * 16; key0 < high; key0 += kBackKeys) {
    const i64 columns = std::min(kBackKeys, up(high - key0, kStep));
    const i64 D = shape.dim, E = shape.v_dim;
    product(rows, columns, D / 2, {in_pairs(q.row(row0, head)), q.token / 2, 1},
            {packed.k_panels + (key0 - base) / 2 * D, D * 8, 16}, scratch.scores, kBackKeys, false);
    product(rows, columns, E / 2, {in_pairs(d.row(row0, head)), d.token / 2, 1},
            {packed.v_panels + (key0 - base) / 2 * E, E * 8, 16}, scratch.d_weights, kBackKeys, false);
    const i64 pairs = up(rows, kTiles ? kStep : 2) / 2;
    for (i64 pair = 0; pair < pairs; ++pair)
      pair_of_rows(view, range, row0 + 2 * pair, pair, rows, key0, columns, lse, delta, scale, scratch);
    const i64 first = std::max(key0, low), last = std::min(key0 + columns, high), skip = first - key0;
    product(last - first, E, pairs, scratch.by_key(scratch.w_pairs, pairs, skip),
            {packed.d_pairs + (row0 - base) / 2 * E, 16, E}, dv + (first - base) * E, E, true);
    product(last - first, D, pairs, scratch.by_key(scratch.ds_pairs, pairs, skip),
            {packed.q_pairs + (row0 - base) / 2 * D, 16, D}, dk + (first - base) * D, D, true);
    product(rows, D, columns / 2, {in_pairs(scratch.d_scores), kBackKeys / 2, 1},
            {packed.k_pairs + (key0 - base) / 2 * D, 16, D}, scratch.dq, D, true);
  }
}

// One head of one tree: dq is written, dk and dv (from `base` on) are added to.
void tree_back(const Segment* segments, i64 count, i64 window, const Strided& q, const Strided& d, i64 head,
               const Packed& packed, const Shape& shape, const float* lse, const float* delta, float scale,
               const Scratch& scratch, bf16* dq, float* dk, float* dv) {
  const i64 D = shape.dim;
  for (i64 s = 0; s < count; ++s) {
    const View view{segments[s], window};
    const i64 segment_end = segments[s].start + segments[s].length;
    for (i64 row0 = segments[s].start / 2 * 2; row0 < segment_end; row0 += kBackRows) {
      const i64 end = std::min(row0 + kBackRows, segment_end), rows = end - row0;
      std::fill(scratch.dq, scratch.dq + rows * D, 0.0f);
      if (segments[s].prefix_length)
        attend_back(view, view.prefix(), row0, rows, q, d, head, packed, shape, lse, delta, scale, scratch, dk, dv);
      attend_back(view, view.own(end), row0, rows, q, d, head, packed, shape, lse, delta, scale, scratch, dk, dv);
      for (i64 r = std::max<i64>(0, segments[s].start - row0); r < rows; ++r)
        for (i64 c = 0; c < D; c += 16)
          store(dq + ((row0 + r) * shape.heads + head) * D + c, load(scratch.dq + r * D + c));
    }
  }
}

// delta_t = sum over the width of out_t d_t, for the tokens of one head from `first` to `end`
void row_sums(const bf16* out, const Strided& d, i64 head, const Shape& shape, i64 first, i64 end, float* delta) {
  for (i64 t = first; t < end; ++t) {
    const bf16 *o = out + (t * shape.heads + head) * shape.v_dim, *g = d.row(t, head);
    Lanes sum = _mm512_setzero_ps();
    for (i64 c = 0; c < shape.v_dim; c += 16) sum += load(o + c) * load(g + c);
    delta[t] = _mm512_reduce_add_ps(sum);
  }
}

// out (tokens, KV, W), one key head = the sum over `group` heads of x, each `step` apart
void sum_heads(const float* x, i64 step, i64 group, i64 tokens, bf16* out, i64 out_row, i64 width) {
  for (i64 t = 0; t < tokens; ++t)
    for (i64 c = 0; c < width; c += 16) {
      Lanes sum = load(x + t * width + c);
      for (i64 g = 1; g < group; ++g) sum += load(x + g * step + t * width + c);
      store(out + t * out_row + c, sum);
    }
}

// A task is a tree (a prefix with all that sees it) and one key head with its query heads; where that would leave
// threads without work, and rows are few and long, each query head by itself. Sums have the same order both ways.
void attention_backward(Strided q, Strided k, Strided v, const bf16* out, Strided d, const float* lse, bf16* dq,
                        bf16* dk, bf16* dv, const Shape& shape, const Segment* segments, const i64* trees,
                        i64 tree_count, float scale, i64 window) {
  const i64 group = shape.heads / shape.kv_heads, D = shape.dim, E = shape.v_dim;
  const bool together = shape.kv_heads * tree_count >= 4 * omp_get_max_threads();
  const i64 tasks = tree_count * (together ? shape.kv_heads : shape.heads), heads = together ? group : 1;
  const auto first_of = [&](i64 tree) { return segments[trees[tree]].start; };
  const auto end_of = [&](i64 tree) {
    const Segment& last = segments[trees[tree + 1] - 1];
    return last.start + last.length;
  };
  i64 longest = 0;
  for (i64 tree = 0; tree < tree_count; ++tree)
    longest = std::max(longest, end_of(tree) - first_of(tree) / 16 * 16);
  // float32 sums of query heads: of those that each thread is at, or of all
  const i64 step = (together ? longest : up(shape.tokens, 16)) * std::max(D, E);
  const i64 places = together ? omp_get_max_threads() * group : shape.heads;
  Buffer k_sums(places * step * 4), v_sums(places * step * 4), deltas(shape.heads * shape.tokens * 4);
#pragma omp parallel
  {
    Buffer scores(kBackRows * kBackKeys * 4), d_weights(kBackRows * kBackKeys * 4), rows_dq(kBackRows * D * 4),
        d_scores(kBackRows * kBackKeys * 2), w_pairs(kBackRows * kBackKeys * 2),
        ds_pairs(kBackRows * kBackKeys * 2), turned(kBackRows * kBackKeys * 2);
    const Scratch scratch{scores.as<float>(), d_weights.as<float>(), rows_dq.as<float>(), d_scores.as<bf16>(),
                      w_pairs.as<u32>(),  ds_pairs.as<u32>(),    turned.as<u32>()};
    const i64 length = padded(longest);
    Buffer kp(length * D * 2), vp(length * E * 2), kq(length * D * 2), qq(length * D * 2), dd(length * E * 2);
    const UsingTiles tiles;
#pragma omp for schedule(dynamic, 1)
    for (i64 task = 0; task < tasks; ++task) {
      const i64 tree = task / (tasks / tree_count), head0 = task % (tasks / tree_count) * heads, kv = head0 / group;
      const i64 first = first_of(tree), end = end_of(tree), base = first / 16 * 16, span = end - base;
      const i64 place = together ? omp_get_thread_num() * group : head0, origin = together ? 0 : base;
      float *dk_sums = k_sums.as<float>() + place * step + origin * D, *dv_sums = v_sums.as<float>() + place * step + origin * E;
      const Packed packed{base, kp.as<u32>(), vp.as<u32>(), kq.as<u32>(), qq.as<u32>(), dd.as<u32>()};
      pack_panels(packed, k, kv, shape.tokens, span, D, packed.k_panels);
      pack_panels(packed, v, kv, shape.tokens, span, E, packed.v_panels);
      pack_pairs(packed, k, kv, shape.tokens, span, D, packed.k_pairs);
      for (i64 head = head0; head < head0 + heads; ++head) {
        float* delta = deltas.as<float>() + head * shape.tokens;
        float *dk_head = dk_sums + (head - head0) * step, *dv_head = dv_sums + (head - head0) * step;
        std::fill(dk_head + (first - base) * D, dk_head + span * D, 0.0f);
        std::fill(dv_head + (first - base) * E, dv_head + span * E, 0.0f);
        pack_pairs(packed, q, head, shape.tokens, span, D, packed.q_pairs);
        pack_pairs(packed, d, head, shape.tokens, span, E, packed.d_pairs);
        row_sums(out, d, head, shape, first, end, delta);
        tree_back(segments + trees[tree], trees[tree + 1] - trees[tree], window, q, d, head, packed, shape,
                  lse + head * shape.tokens, delta, scale, scratch, dq, dk_head, dv_head);
      }
      if (!together) continue;
      const i64 at = first * shape.kv_heads + kv;
      sum_heads(dk_sums + (first - base) * D, step, group, end - first, dk + at * D, shape.kv_heads * D, D);
      sum_heads(dv_sums + (first - base) * E, step, group, end - first, dv + at * E, shape.kv_heads * E, E);
    }
    if (!together) {
#pragma omp for schedule(static)
      for (i64 t = 0; t < shape.tokens; ++t)
        for (i64 kv = 0; kv < shape.kv_heads; ++kv) {
          const i64 from = kv * group * step, to = t * shape.kv_heads + kv;
          sum_heads(k_sums.as<float>() + from + t * D, step, group, 1, dk + to * D, 0, D);
          sum_heads(v_sums.as<float>() + from + t * E, step, group, 1, dv + to * E, 0, E);
        }
    }
  }
}

}  // namespace

extern "C" {

i64 fw_has_dots() { return 1; }

// shape: tokens, heads, kv_heads, dim, v_dim; strides: token and head of q, k, v (and d)
void fw_attention_forward(const bf16* q, const bf16* k, const bf16* v, const i64* strides, bf16* out, float* lse,
                          const i64* shape, const i64* segments, i64 count, float scale, i64 window) {
  const Shape s{shape[0], shape[1], shape[2], shape[3], shape[4]};
  attention_forward({q, strides[0], strides[1]}, {k, strides[2], strides[3]}, {v, strides[4], strides[5]}, out,
                    lse, s, reinterpret_cast<const Segment*>(segments), count, scale, window);
}

void fw_attention_backward(const bf16* q, const bf16* k, const bf16* v, const bf16* d, const i64* strides,
                           const bf16* out, const float* lse, bf16* dq, bf16* dk, bf16* dv, const i64* shape,
                           const i64* segments, const i64* trees, i64 tree_count, float scale, i64 window) {
  const Shape s{shape[0], shape[1], shape[2], shape[3], shape[4]};
  attention_backward({q, strides[0], strides[1]}, {k, strides[2], strides[3]}, {v, strides[4], strides[5]}, out,
                     {d, strides[6], strides[7]}, lse, dq, dk, dv, s, reinterpret_cast<const Segment*>(segments),
                     trees, tree_count, scale, window);
}

}

#else

extern "C" long fw_has_dots() { return 0; }

#endif
