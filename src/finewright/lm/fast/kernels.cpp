// Kernels for the CPU, called from native.py with raw pointers. Each one's formula is in the module that
// uses it; here is how it is computed. Arithmetic is float32 whatever the storage is, with one rounding at
// the end, and every result is a pure function of its inputs: no atomics, no order that threads decide.
//
// Shape legend: T tokens, H query heads, KV key heads, D width of a head, R rows, W width.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#if defined(__AVX512F__) && defined(__AVX512BF16__)
#include <immintrin.h>
#define HAVE_BF16_DOT 1
#endif

namespace {

using i64 = std::int64_t;

struct bf16 {
  std::uint16_t bits;
};

inline float value(float x) { return x; }
inline float value(bf16 x) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(x.bits) << 16);
}

template <class T> T rounded(float x);
template <> inline float rounded<float>(float x) { return x; }
template <> inline bf16 rounded<bf16>(float x) {  // to nearest, ties to even
  const auto u = __builtin_bit_cast(std::uint32_t, x);
  return {static_cast<std::uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16)};
}

// exp(x) to about one unit in the last place: 2^n times a polynomial (Cephes), free of branches so that
// loops over it become vectors. Below -87 it is about 1e-38, which no sum here can tell from zero.
inline float exponential(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
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
  const auto exponent = __builtin_bit_cast(std::uint32_t, shifted) << 23;
  return __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, p) + exponent);
}

inline float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

struct Silu {
  static float f(float g) { return g * sigmoid(g); }
  static float df(float g) {
    const float s = sigmoid(g);
    return s * (1.0f + g * (1.0f - s));
  }
};

struct GeluTanh {  // 0.5 g (1 + tanh(z)) = g sigmoid(2 z), z = sqrt(2/pi) (g + 0.044715 g^3)
  static float f(float g) { return g * sigmoid(1.5957691216f * (g + 0.044715f * g * g * g)); }
  static float df(float g) {
    const float s = sigmoid(1.5957691216f * (g + 0.044715f * g * g * g));
    return s + g * s * (1.0f - s) * 1.5957691216f * (1.0f + 0.134145f * g * g);
  }
};

constexpr i64 kWorthThreads = 1 << 14;  // elements below which a second thread costs more than it gives

template <class T>
void rms_forward(const T* x, i64 x_row, const float* w, T* y, float* rstd, i64 rows, i64 width,
                 float eps) {
#pragma omp parallel for schedule(static) if (rows * width > kWorthThreads)
  for (i64 i = 0; i < rows; ++i) {
    const T* in = x + i * x_row;
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (i64 j = 0; j < width; ++j) sum += value(in[j]) * value(in[j]);
    const float r = 1.0f / __builtin_sqrtf(sum / static_cast<float>(width) + eps);
    rstd[i] = r;
#pragma omp simd
    for (i64 j = 0; j < width; ++j) y[i * width + j] = rounded<T>(value(in[j]) * r * w[j]);
  }
}

// dx = r (g - xh mean(g xh)), g = dy w, xh = x r
template <class T>
void rms_backward(const T* dy, const T* x, i64 x_row, const float* w, const float* rstd, T* dx,
                  i64 rows, i64 width) {
#pragma omp parallel for schedule(static) if (rows * width > kWorthThreads)
  for (i64 i = 0; i < rows; ++i) {
    const T* in = x + i * x_row;
    const T* up = dy + i * width;
    const float r = rstd[i];
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (i64 j = 0; j < width; ++j) sum += value(up[j]) * w[j] * value(in[j]);
    const float mean = sum * r * r * r / static_cast<float>(width);
#pragma omp simd
    for (i64 j = 0; j < width; ++j)
      dx[i * width + j] = rounded<T>(r * value(up[j]) * w[j] - value(in[j]) * mean);
  }
}

// y1 = x1 c1 - x2 s1, y2 = x2 c2 + x1 s2 over the two halves of the first `rotary` entries; the transpose
// of that matrix is the backward. x is (T, H, D) by strides, y is contiguous, cos and sin are (T, rotary).
template <class T>
void rope(const T* x, i64 x_t, i64 x_h, const T* cos, const T* sin, T* y, i64 tokens, i64 heads,
          i64 dim, i64 rotary, bool transposed) {
  const i64 half = rotary / 2;
#pragma omp parallel for schedule(static) if (tokens * heads * dim > kWorthThreads)
  for (i64 t = 0; t < tokens; ++t) {
    const T *c1 = cos + t * rotary, *s1 = sin + t * rotary, *c2 = c1 + half, *s2 = s1 + half;
    for (i64 h = 0; h < heads; ++h) {
      const T *a = x + t * x_t + h * x_h, *b = a + half;
      T *ya = y + (t * heads + h) * dim, *yb = ya + half;
      if (transposed) {
#pragma omp simd
        for (i64 j = 0; j < half; ++j) {
          ya[j] = rounded<T>(value(a[j]) * value(c1[j]) + value(b[j]) * value(s2[j]));
          yb[j] = rounded<T>(value(b[j]) * value(c2[j]) - value(a[j]) * value(s1[j]));
        }
      } else {
#pragma omp simd
        for (i64 j = 0; j < half; ++j) {
          ya[j] = rounded<T>(value(a[j]) * value(c1[j]) - value(b[j]) * value(s1[j]));
          yb[j] = rounded<T>(value(b[j]) * value(c2[j]) + value(a[j]) * value(s2[j]));
        }
      }
      if (rotary < dim) std::memcpy(ya + rotary, a + rotary, (dim - rotary) * sizeof(T));
    }
  }
}

template <class Act, class T>
void glu_forward(const T* g, const T* u, i64 gu_row, T* h, i64 h_row, i64 rows, i64 width) {
#pragma omp parallel for schedule(static) if (rows * width > kWorthThreads)
  for (i64 i = 0; i < rows; ++i) {
    const T *gi = g + i * gu_row, *ui = u + i * gu_row;
    T* hi = h + i * h_row;
#pragma omp simd
    for (i64 j = 0; j < width; ++j) hi[j] = rounded<T>(Act::f(value(gi[j])) * value(ui[j]));
  }
}

template <class Act, class T>
void glu_backward(const T* g, const T* u, i64 gu_row, const T* dh, i64 dh_row, T* dg, T* du, i64 d_row,
                  i64 rows, i64 width) {
#pragma omp parallel for schedule(static) if (rows * width > kWorthThreads)
  for (i64 i = 0; i < rows; ++i) {
    const T *gi = g + i * gu_row, *ui = u + i * gu_row, *up = dh + i * dh_row;
    T *dgi = dg + i * d_row, *dui = du + i * d_row;
#pragma omp simd
    for (i64 j = 0; j < width; ++j) {
      const float d = value(up[j]), gv = value(gi[j]);
      dgi[j] = rounded<T>(d * value(ui[j]) * Act::df(gv));
      dui[j] = rounded<T>(d * Act::f(gv));
    }
  }
}

// logp[i] = z[y] - logsumexp(z); with `grad`, z becomes d logp / d z = onehot(y) - softmax(z) in place.
template <class T>
void cross_entropy(T* logits, const i64* targets, float* logp, i64 rows, i64 vocab, bool grad) {
#pragma omp parallel for schedule(dynamic, 1)
  for (i64 i = 0; i < rows; ++i) {
    T* z = logits + i * vocab;
    float top = -3.0e38f;
#pragma omp simd reduction(max : top)
    for (i64 j = 0; j < vocab; ++j) top = std::max(top, value(z[j]));
    double total = 0.0;
    for (i64 start = 0; start < vocab; start += 4096) {  // float sums of 4,096 keep seven digits
      float part = 0.0f;
      const i64 end = std::min(vocab, start + 4096);
#pragma omp simd reduction(+ : part)
      for (i64 j = start; j < end; ++j) part += exponential(value(z[j]) - top);
      total += part;
    }
    const float lse = top + static_cast<float>(__builtin_log(total));
    const float hit = value(z[targets[i]]) - lse;
    logp[i] = hit;
    if (!grad) continue;
#pragma omp simd
    for (i64 j = 0; j < vocab; ++j) z[j] = rounded<T>(-exponential(value(z[j]) - lse));
    z[targets[i]] = rounded<T>(1.0f - exponential(hit));
  }
}

#ifdef HAVE_BF16_DOT

// ---- attention ---------------------------------------------------------------------------------------
//
// Every product is C (M x N) += A (M x 2K) B (2K x N) by VDPBF16PS, which multiplies pairs of bf16 and adds
// in float32. A gives a broadcast pair from any stride; B must lie so that one load takes sixteen columns
// of a pair of rows. So each operand is packed once per call in the layout that its product needs:
//   panels  [T/16][D/2][16]: sixteen tokens side by side, for sums over D
//   pairs   [T/2][D]: two tokens side by side, for sums over tokens

using u32 = std::uint32_t;

struct Strided {  // (T, heads, D) in units of elements
  const bf16* data;
  i64 token, head;
  const bf16* row(i64 t, i64 h) const { return data + t * token + h * head; }
};

struct Segment {  // a run of tokens that see themselves causally, and all of a prefix before it
  i64 start, length, prefix_start, prefix_length;
};

struct Buffer {
  explicit Buffer(i64 bytes)
      : memory(static_cast<char*>(std::aligned_alloc(64, (bytes + 127) / 64 * 64)), &std::free) {}
  template <class T> T* as() { return reinterpret_cast<T*>(memory.get()); }
  std::unique_ptr<char, void (*)(void*)> memory;
};

template <int M, int N>
inline void tile(i64 pairs, const u32* a, i64 a_m, i64 a_k, const u32* b, i64 b_n, i64 b_k, float* c,
                 i64 c_m, bool add) {
  __m512 sum[M][N];
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n)
      sum[m][n] = add ? _mm512_loadu_ps(c + m * c_m + 16 * n) : _mm512_setzero_ps();
  for (i64 k = 0; k < pairs; ++k) {
    __m512i right[N];
    for (int n = 0; n < N; ++n) right[n] = _mm512_loadu_si512(b + n * b_n + k * b_k);
    for (int m = 0; m < M; ++m) {
      const __m512i left = _mm512_set1_epi32(static_cast<int>(a[m * a_m + k * a_k]));
      for (int n = 0; n < N; ++n)
        sum[m][n] = _mm512_dpbf16_ps(sum[m][n], (__m512bh)left, (__m512bh)right[n]);
    }
  }
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) _mm512_storeu_ps(c + m * c_m + 16 * n, sum[m][n]);
}

template <int N>
inline void strip(i64 rows, i64 pairs, const u32* a, i64 a_m, i64 a_k, const u32* b, i64 b_n, i64 b_k,
                  float* c, i64 c_m, bool add) {
  constexpr int M = 6;  // 6 x 4 sums, 4 loads and a broadcast fit the 32 registers
  i64 m = 0;
  for (; m + M <= rows; m += M)
    tile<M, N>(pairs, a + m * a_m, a_m, a_k, b, b_n, b_k, c + m * c_m, c_m, add);
  a += m * a_m;
  c += m * c_m;
  switch (rows - m) {
    case 5: return tile<5, N>(pairs, a, a_m, a_k, b, b_n, b_k, c, c_m, add);
    case 4: return tile<4, N>(pairs, a, a_m, a_k, b, b_n, b_k, c, c_m, add);
    case 3: return tile<3, N>(pairs, a, a_m, a_k, b, b_n, b_k, c, c_m, add);
    case 2: return tile<2, N>(pairs, a, a_m, a_k, b, b_n, b_k, c, c_m, add);
    case 1: return tile<1, N>(pairs, a, a_m, a_k, b, b_n, b_k, c, c_m, add);
    default: return;
  }
}

// columns is a multiple of 16; b_n is the step between groups of sixteen columns, b_k between pairs
inline void product(i64 rows, i64 columns, i64 pairs, const u32* a, i64 a_m, i64 a_k, const u32* b,
                    i64 b_n, i64 b_k, float* c, i64 c_m, bool add) {
  i64 n = 0;
  for (; n + 64 <= columns; n += 64)
    strip<4>(rows, pairs, a, a_m, a_k, b + n / 16 * b_n, b_n, b_k, c + n, c_m, add);
  for (; n < columns; n += 16)
    strip<1>(rows, pairs, a, a_m, a_k, b + n / 16 * b_n, b_n, b_k, c + n, c_m, add);
}

inline i64 up16(i64 n) { return (n + 15) / 16 * 16; }

// sixteen rows of sixteen 32-bit words, turned
inline void turn16(const u32* const rows[16], u32* out) {
  __m512i r[16], s[16];
  for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_si512(rows[i]);
  for (int i = 0; i < 16; i += 2) {
    s[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    s[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(s[i], s[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(s[i], s[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(s[i + 1], s[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(s[i + 1], s[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    s[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
    s[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
    s[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
    s[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; ++i) {
    _mm512_storeu_si512(out + 16 * i, _mm512_shuffle_i32x4(s[i], s[i + 8], 0x88));
    _mm512_storeu_si512(out + 16 * (i + 8), _mm512_shuffle_i32x4(s[i], s[i + 8], 0xdd));
    _mm512_storeu_si512(out + 16 * (i + 4), _mm512_shuffle_i32x4(s[i + 4], s[i + 12], 0x88));
    _mm512_storeu_si512(out + 16 * (i + 12), _mm512_shuffle_i32x4(s[i + 4], s[i + 12], 0xdd));
  }
}

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
  const i64 count = up16(tokens) / 16;
#pragma omp parallel for collapse(2) schedule(static)
  for (i64 h = 0; h < heads; ++h)
    for (i64 p = 0; p < count; ++p)
      pack_panel(x, h, p, tokens, dim, out + (h * count + p) * dim / 2 * 16);
  return out;
}

u32* pairs_of(Buffer& buffer, const Strided& x, i64 heads, i64 tokens, i64 dim) {
  u32* out = buffer.as<u32>();
  const i64 count = up16(tokens) / 2;
#pragma omp parallel for collapse(2) schedule(static)
  for (i64 h = 0; h < heads; ++h)
    for (i64 p = 0; p < count; ++p) pack_pair(x, h, p, tokens, dim, out + (h * count + p) * dim);
  return out;
}

inline __m512 exponential16(__m512 x) {
  x = _mm512_max_ps(_mm512_set1_ps(-87.0f), x);  // in this order NaN stays NaN
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 0);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  r = _mm512_fmadd_ps(n, _mm512_set1_ps(2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.9875691500e-4f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1f));
  p = _mm512_fmadd_ps(_mm512_mul_ps(p, r), r, _mm512_add_ps(r, _mm512_set1_ps(1.0f)));
  return _mm512_scalef_ps(p, n);
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

constexpr i64 kRows = 48, kKeys = 128;        // forward block
constexpr i64 kBackRows = 64, kBackKeys = 64;  // backward block

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
    const i64 columns = std::min(kKeys, up16(high - key0));
    product(rows, columns, shape.dim / 2, reinterpret_cast<const u32*>(q.row(row0, head)), q.token / 2, 1,
            k_panels + key0 / 16 * (shape.dim / 2 * 16), shape.dim / 2 * 16, 16, scores, kKeys, false);
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
            _mm512_maskz_mov_ps(seen, exponential16(_mm512_sub_ps(_mm512_loadu_ps(s + c), shift)));
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
    product(rows, shape.v_dim, columns / 2, reinterpret_cast<const u32*>(weights), kKeys / 2, 1,
            v_pairs + key0 / 2 * shape.v_dim, 16, shape.v_dim, out, shape.v_dim, true);
  }
}

void attention_forward(Strided q, Strided k, Strided v, bf16* out, float* lse, const Shape& shape,
                       const Segment* segments, i64 count, float scale, i64 window) {
  const i64 padded = up16(shape.tokens), group = shape.heads / shape.kv_heads;
  Buffer k_memory(shape.kv_heads * padded * shape.dim * 2), v_memory(shape.kv_heads * padded * shape.v_dim * 2);
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
#pragma omp for schedule(dynamic, 1)
    for (i64 task = 0; task < blocks * shape.heads; ++task) {
      const i64 head = task % shape.heads, block = blocks - 1 - task / shape.heads;
      const i64 s = std::upper_bound(first, first + count + 1, block) - first - 1;
      const View view{segments[s], window};
      const i64 row0 = segments[s].start + (block - first[s]) * kRows;
      const i64 end = std::min(row0 + kRows, segments[s].start + segments[s].length), rows = end - row0;
      const u32* kp = k_panels + head / group * (padded * shape.dim / 2);
      const u32* vp = v_pairs + head / group * (padded * shape.v_dim / 2);
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

struct Packed {  // what the backward reads, packed once
  const u32 *k_panels, *v_panels, *k_pairs, *q_pairs, *d_pairs;
};

struct Tiles {  // scratch of one thread
  float *scores, *d_weights, *dq;
  bf16* d_scores;             // rows as they are, for dq
  u32 *w_pairs, *ds_pairs;  // rows in pairs, for dv and dk
};

// p = exp(s scale - lse), ds = p (dp - delta) scale, for one pair of rows
void pair_of_rows(const View& view, const Range& range, i64 row, i64 pair, i64 rows, i64 key0, i64 columns,
                  const float* lse, const float* delta, float scale, const Tiles& tiles) {
  const Keys keys[2] = {view.keys(row, range), pair * 2 + 1 < rows ? view.keys(row + 1, range) : Keys{0, 0}};
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
        const __m512 s = _mm512_fmsub_ps(_mm512_loadu_ps(tiles.scores + at), _mm512_set1_ps(scale),
                                         _mm512_set1_ps(lse[row + r]));
        p[r] = _mm512_maskz_mov_ps(seen, exponential16(s));
        const __m512 d =
            _mm512_sub_ps(_mm512_loadu_ps(tiles.d_weights + at), _mm512_set1_ps(delta[row + r]));
        ds[r] = _mm512_mul_ps(_mm512_mul_ps(p[r], d), _mm512_set1_ps(scale));
      }
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(tiles.d_scores + (pair * 2 + r) * kBackKeys + c),
                          (__m256i)_mm512_cvtneps_pbh(ds[r]));
    }
    const __m512i both_p = (__m512i)_mm512_cvtne2ps_pbh(p[1], p[0]);
    const __m512i both_ds = (__m512i)_mm512_cvtne2ps_pbh(ds[1], ds[0]);
    _mm512_storeu_si512(tiles.w_pairs + pair * kBackKeys + c, _mm512_permutexvar_epi16(merge, both_p));
    _mm512_storeu_si512(tiles.ds_pairs + pair * kBackKeys + c, _mm512_permutexvar_epi16(merge, both_ds));
  }
}

void attend_back(const View& view, const Range& range, i64 row0, i64 rows, const Strided& q, const Strided& d,
                 i64 head, const Packed& packed, const Shape& shape, const float* lse, const float* delta,
                 float scale, const Tiles& tiles, float* dk, float* dv) {
  i64 low = range.end, high = 0;
  for (i64 i = row0; i < row0 + rows; ++i) {
    const Keys keys = view.keys(i, range);
    if (keys.high > keys.low) low = std::min(low, keys.low);
    high = std::max(high, keys.high);
  }
  for (i64 key0 = low / 16 * 16; key0 < high; key0 += kBackKeys) {
    const i64 columns = std::min(kBackKeys, up16(high - key0));
    const i64 D = shape.dim, E = shape.v_dim;
    product(rows, columns, D / 2, reinterpret_cast<const u32*>(q.row(row0, head)), q.token / 2, 1,
            packed.k_panels + key0 / 16 * (D / 2 * 16), D / 2 * 16, 16, tiles.scores, kBackKeys, false);
    product(rows, columns, E / 2, reinterpret_cast<const u32*>(d.row(row0, head)), d.token / 2, 1,
            packed.v_panels + key0 / 16 * (E / 2 * 16), E / 2 * 16, 16, tiles.d_weights, kBackKeys, false);
    const i64 pairs = (rows + 1) / 2;
    for (i64 pair = 0; pair < pairs; ++pair)
      pair_of_rows(view, range, row0 + 2 * pair, pair, rows, key0, columns, lse, delta, scale, tiles);
    const i64 first = std::max(key0, low), last = std::min(key0 + columns, high), skip = first - key0;
    product(last - first, E, pairs, tiles.w_pairs + skip, 1, kBackKeys, packed.d_pairs + row0 / 2 * E, 16, E,
            dv + first * E, E, true);
    product(last - first, D, pairs, tiles.ds_pairs + skip, 1, kBackKeys, packed.q_pairs + row0 / 2 * D, 16, D,
            dk + first * D, D, true);
    product(rows, D, columns / 2, reinterpret_cast<const u32*>(tiles.d_scores), kBackKeys / 2, 1,
            packed.k_pairs + key0 / 2 * D, 16, D, tiles.dq, D, true);
  }
}

// sums the heads of each group: (H, T, W) float32 -> (T, KV, W)
void sum_groups(const float* by_head, bf16* out, const Shape& shape, i64 width) {
  const i64 group = shape.heads / shape.kv_heads;
#pragma omp parallel for collapse(2) schedule(static)
  for (i64 t = 0; t < shape.tokens; ++t)
    for (i64 n = 0; n < shape.kv_heads; ++n) {
      bf16* y = out + (t * shape.kv_heads + n) * width;
      const float* x = by_head + (n * group * shape.tokens + t) * width;
#pragma omp simd
      for (i64 c = 0; c < width; ++c) {
        float sum = 0.0f;
        for (i64 g = 0; g < group; ++g) sum += x[g * shape.tokens * width + c];
        y[c] = rounded<bf16>(sum);
      }
    }
}

void attention_backward(Strided q, Strided k, Strided v, const bf16* out, Strided d, const float* lse, bf16* dq,
                        bf16* dk, bf16* dv, const Shape& shape, const Segment* segments, const i64* trees,
                        i64 tree_count, float scale, i64 window) {
  const i64 padded = up16(shape.tokens), group = shape.heads / shape.kv_heads;
  const i64 D = shape.dim, E = shape.v_dim;
  Buffer kp(shape.kv_heads * padded * D * 2), vp(shape.kv_heads * padded * E * 2),
      kq(shape.kv_heads * padded * D * 2), qq(shape.heads * padded * D * 2), dd(shape.heads * padded * E * 2),
      deltas(shape.heads * shape.tokens * 4), dks(shape.heads * shape.tokens * D * 4),
      dvs(shape.heads * shape.tokens * E * 4);
  const Packed all{panels_of(kp, k, shape.kv_heads, shape.tokens, D),
                   panels_of(vp, v, shape.kv_heads, shape.tokens, E),
                   pairs_of(kq, k, shape.kv_heads, shape.tokens, D),
                   pairs_of(qq, q, shape.heads, shape.tokens, D), pairs_of(dd, d, shape.heads, shape.tokens, E)};
  float* delta = deltas.as<float>();
#pragma omp parallel for collapse(2) schedule(static)
  for (i64 t = 0; t < shape.tokens; ++t)
    for (i64 h = 0; h < shape.heads; ++h) {
      const bf16 *o = out + (t * shape.heads + h) * E, *g = d.row(t, h);
      float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
      for (i64 c = 0; c < E; ++c) sum += value(o[c]) * value(g[c]);
      delta[h * shape.tokens + t] = sum;
    }
#pragma omp parallel
  {
    Buffer scores(kBackRows * kBackKeys * 4), d_weights(kBackRows * kBackKeys * 4), rows_dq(kBackRows * D * 4),
        d_scores(kBackRows * kBackKeys * 2), w_pairs(kBackRows * kBackKeys * 2),
        ds_pairs(kBackRows * kBackKeys * 2);
    const Tiles tiles{scores.as<float>(),  d_weights.as<float>(), rows_dq.as<float>(),
                      d_scores.as<bf16>(), w_pairs.as<u32>(),      ds_pairs.as<u32>()};
#pragma omp for schedule(dynamic, 1)
    for (i64 task = 0; task < tree_count * shape.heads; ++task) {
      const i64 head = task % shape.heads, tree = task / shape.heads, kv = head / group;
      const Packed packed{all.k_panels + kv * padded * D / 2, all.v_panels + kv * padded * E / 2,
                          all.k_pairs + kv * padded * D / 2, all.q_pairs + head * padded * D / 2,
                          all.d_pairs + head * padded * E / 2};
      float *dk_head = dks.as<float>() + head * shape.tokens * D, *dv_head = dvs.as<float>() + head * shape.tokens * E;
      const Segment &first = segments[trees[tree]], &last = segments[trees[tree + 1] - 1];
      std::fill(dk_head + first.start * D, dk_head + (last.start + last.length) * D, 0.0f);
      std::fill(dv_head + first.start * E, dv_head + (last.start + last.length) * E, 0.0f);
      for (i64 s = trees[tree]; s < trees[tree + 1]; ++s) {
        const View view{segments[s], window};
        const i64 segment_end = segments[s].start + segments[s].length;
        for (i64 row0 = segments[s].start / 2 * 2; row0 < segment_end; row0 += kBackRows) {
          const i64 end = std::min(row0 + kBackRows, segment_end), rows = end - row0;
          std::fill(tiles.dq, tiles.dq + rows * D, 0.0f);
          const float *l = lse + head * shape.tokens, *e = delta + head * shape.tokens;
          if (segments[s].prefix_length)
            attend_back(view, view.prefix(), row0, rows, q, d, head, packed, shape, l, e, scale, tiles, dk_head,
                        dv_head);
          attend_back(view, view.own(end), row0, rows, q, d, head, packed, shape, l, e, scale, tiles, dk_head,
                      dv_head);
          for (i64 r = std::max<i64>(0, segments[s].start - row0); r < rows; ++r)
            for (i64 c = 0; c < D; ++c)
              dq[((row0 + r) * shape.heads + head) * D + c] = rounded<bf16>(tiles.dq[r * D + c]);
        }
      }
    }
  }
  sum_groups(dks.as<float>(), dk, shape, D);
  sum_groups(dvs.as<float>(), dv, shape, E);
}

// ---- thin products of LoRA -----------------------------------------------------------------------------
//
// A product with r = 16 on one side is over before a general GEMM has packed its operands. These pack only
// the thin side, and do in the same pass what the formula does next: laying x A^T beside x, adding (dx A) A
// to the gradient, summing in float32.

constexpr i64 kThinRows = 24;

// out (T, K + r) = [x, x A^T];  a (r, K) contiguous
void lora_widen(const bf16* x, i64 x_row, const bf16* a, bf16* out, i64 tokens, i64 width, i64 rank) {
  const i64 pairs = width / 2, out_row = width + rank;
  Buffer packed(pairs * rank * 4);
  u32* panels = packed.as<u32>();  // [r/16][K/2][16]
  const u32* as = reinterpret_cast<const u32*>(a);
  for (i64 j = 0; j < rank; ++j)
    for (i64 k = 0; k < pairs; ++k) panels[(j / 16 * pairs + k) * 16 + j % 16] = as[j * pairs + k];
#pragma omp parallel
  {
    Buffer sums(kThinRows * rank * 4);
    float* low = sums.as<float>();
#pragma omp for schedule(static)
    for (i64 t0 = 0; t0 < tokens; t0 += kThinRows) {
      const i64 rows = std::min(kThinRows, tokens - t0);
      product(rows, rank, pairs, reinterpret_cast<const u32*>(x + t0 * x_row), x_row / 2, 1, panels, pairs * 16, 16,
              low, rank, false);
      for (i64 t = 0; t < rows; ++t) {
        bf16* to = out + (t0 + t) * out_row;
        std::memcpy(to, x + (t0 + t) * x_row, width * sizeof(bf16));
        for (i64 j = 0; j < rank; ++j) to[width + j] = rounded<bf16>(low[t * rank + j]);
      }
    }
  }
}

inline __m512 wide16(const bf16* x) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

// M rows and 16 N columns of out = c + left b, where c and left are parts of the same rows
template <int M, int N>
inline void add_tile(const bf16* c, const u32* left, i64 row, i64 pairs, const u32* b, i64 b_k, bf16* out, i64 out_row) {
  __m512 sum[M][N];
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) sum[m][n] = wide16(c + m * row + 16 * n);
  for (i64 k = 0; k < pairs; ++k) {
    __m512i right[N];
    for (int n = 0; n < N; ++n) right[n] = _mm512_loadu_si512(b + k * b_k + 16 * n);
    for (int m = 0; m < M; ++m) {
      const __m512i pair = _mm512_set1_epi32(static_cast<int>(left[m * (row / 2) + k]));
      for (int n = 0; n < N; ++n) sum[m][n] = _mm512_dpbf16_ps(sum[m][n], (__m512bh)pair, (__m512bh)right[n]);
    }
  }
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + m * out_row + 16 * n), (__m256i)_mm512_cvtneps_pbh(sum[m][n]));
}

template <int M>
inline void add_rows(const bf16* both, i64 width, i64 rank, const u32* pairs, bf16* dx) {
  const i64 row = width + rank;
  const u32* left = reinterpret_cast<const u32*>(both + width);
  i64 k = 0;
  for (; k + 64 <= width; k += 64) add_tile<M, 4>(both + k, left, row, rank / 2, pairs + k, width, dx + k, width);
  for (; k < width; k += 16) add_tile<M, 1>(both + k, left, row, rank / 2, pairs + k, width, dx + k, width);
}

// dx (T, K) = both[:, :K] + both[:, K:] A;  both (T, K + r)
void lora_narrow(const bf16* both, const bf16* a, bf16* dx, i64 tokens, i64 width, i64 rank) {
  constexpr i64 M = 6;
  Buffer packed(rank / 2 * width * 4);
  u32* pairs = packed.as<u32>();  // [r/2][K]
  for (i64 j = 0; j < rank; j += 2)
#pragma omp simd
    for (i64 k = 0; k < width; ++k)
      pairs[j / 2 * width + k] = u32(a[j * width + k].bits) | u32(a[(j + 1) * width + k].bits) << 16;
#pragma omp parallel for schedule(static)
  for (i64 t0 = 0; t0 < tokens; t0 += M) {
    const bf16* from = both + t0 * (width + rank);
    bf16* to = dx + t0 * width;
    if (t0 + M <= tokens) {
      add_rows<M>(from, width, rank, pairs, to);
    } else {
      for (i64 t = 0; t < tokens - t0; ++t) add_rows<1>(from + t * (width + rank), width, rank, pairs, to + t * width);
    }
  }
}

// out (r, K) float32 = low^T x;  low (T, r) and x (T, K) of any row stride
void lora_outer(const bf16* low, i64 low_row, const bf16* x, i64 x_row, float* out, i64 tokens, i64 width, i64 rank) {
  constexpr i64 kColumns = 64, kPairs = 64;
  const i64 count = (tokens + 1) / 2;
  Buffer packed(count * rank * 4);
  u32* left = packed.as<u32>();  // [T/2][r]
  for (i64 p = 0; p < count; ++p)
    for (i64 j = 0; j < rank; ++j) {
      const bf16* at = low + 2 * p * low_row + j;
      left[p * rank + j] = u32(at[0].bits) | (2 * p + 1 < tokens ? u32(at[low_row].bits) << 16 : 0);
    }
#pragma omp parallel for schedule(static)
  for (i64 k0 = 0; k0 < width; k0 += kColumns) {
    const i64 columns = std::min(kColumns, width - k0);
    alignas(64) u32 right[kPairs * kColumns];  // [T/2][columns]
    for (i64 p0 = 0; p0 < count; p0 += kPairs) {
      const i64 pairs = std::min(kPairs, count - p0);
      for (i64 p = 0; p < pairs; ++p) {
        const bf16* at = x + 2 * (p0 + p) * x_row + k0;
        const bool last = 2 * (p0 + p) + 1 >= tokens;
        for (i64 k = 0; k < columns; k += 16) {
          const __m512i first = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + k)));
          const __m512i second =
              last ? _mm512_setzero_si512()
                   : _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + x_row + k)));
          _mm512_store_si512(right + p * columns + k, _mm512_or_si512(first, _mm512_slli_epi32(second, 16)));
        }
      }
      product(rank, columns, pairs, left + p0 * rank, 1, rank, right, 16, columns, out + k0, width, p0 > 0);
    }
  }
}

#endif

}  // namespace

#define BOTH(T, name)                                                                                         \
  void fw_rms_forward_##name(const T* x, i64 x_row, const float* w, T* y, float* rstd, i64 rows, i64 width,   \
                             float eps) {                                                                     \
    rms_forward(x, x_row, w, y, rstd, rows, width, eps);                                                      \
  }                                                                                                           \
  void fw_rms_backward_##name(const T* dy, const T* x, i64 x_row, const float* w, const float* rstd, T* dx,   \
                              i64 rows, i64 width) {                                                          \
    rms_backward(dy, x, x_row, w, rstd, dx, rows, width);                                                     \
  }                                                                                                           \
  void fw_rope_##name(const T* x, i64 x_t, i64 x_h, const T* cos, const T* sin, T* y, i64 tokens, i64 heads,  \
                      i64 dim, i64 rotary, i64 transposed) {                                                  \
    rope(x, x_t, x_h, cos, sin, y, tokens, heads, dim, rotary, transposed != 0);                              \
  }                                                                                                           \
  void fw_glu_forward_##name(i64 gelu, const T* g, const T* u, i64 gu_row, T* h, i64 h_row, i64 rows,         \
                             i64 width) {                                                                     \
    (gelu ? glu_forward<GeluTanh, T> : glu_forward<Silu, T>)(g, u, gu_row, h, h_row, rows, width);            \
  }                                                                                                           \
  void fw_glu_backward_##name(i64 gelu, const T* g, const T* u, i64 gu_row, const T* dh, i64 dh_row, T* dg,   \
                              T* du, i64 d_row, i64 rows, i64 width) {                                        \
    (gelu ? glu_backward<GeluTanh, T> : glu_backward<Silu, T>)(g, u, gu_row, dh, dh_row, dg, du, d_row, rows, \
                                                               width);                                        \
  }                                                                                                           \
  void fw_cross_entropy_##name(T* logits, const i64* targets, float* logp, i64 rows, i64 vocab, i64 grad) {   \
    cross_entropy(logits, targets, logp, rows, vocab, grad != 0);                                             \
  }

extern "C" {

BOTH(float, f32)
BOTH(bf16, bf16)

#ifdef HAVE_BF16_DOT

i64 fw_has_attention() { return 1; }

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

void fw_lora_widen(const bf16* x, i64 x_row, const bf16* a, bf16* out, i64 tokens, i64 width, i64 rank) {
  lora_widen(x, x_row, a, out, tokens, width, rank);
}

void fw_lora_narrow(const bf16* both, const bf16* a, bf16* dx, i64 tokens, i64 width, i64 rank) {
  lora_narrow(both, a, dx, tokens, width, rank);
}

void fw_lora_outer(const bf16* low, i64 low_row, const bf16* x, i64 x_row, float* out, i64 tokens, i64 width,
                   i64 rank) {
  lora_outer(low, low_row, x, x_row, out, tokens, width, rank);
}

#else

i64 fw_has_attention() { return 0; }

#endif
}

// ---- quantised weights -------------------------------------------------------------------------------
//
// Rows of a weight are put into 4 or 8 bits, and written whole into rows of a wider matrix. In a block of NF4
// the sixteen levels times the block's scale are a table, rounded once; every weight is a look-up in it. The
// code of a weight is the number of borders between levels that lie below it.

#if defined(__AVX512BW__) || defined(__AVX2__)
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
