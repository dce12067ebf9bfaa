// Kernels that go row by row: RMS norm, rotation, the gated product, cross-entropy. Called from native.py with
// raw pointers; the formulas are in norm.py, rope.py, mlp.py and head.py.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "activations.h"

namespace {

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
#ifdef HAVE_LANES
    for (i64 j = 0; j < width; j += 16) {
      const __mmask16 some = first_lanes(width - j);
      store(hi + j, Act::f(load(gi + j, some)) * load(ui + j, some), some);
    }
#else
#pragma omp simd
    for (i64 j = 0; j < width; ++j) hi[j] = rounded<T>(Act::f(value(gi[j])) * value(ui[j]));
#endif
  }
}

template <class Act, class T>
void glu_backward(const T* g, const T* u, i64 gu_row, T* dh, i64 dh_row, T* dg, T* du, i64 d_row, i64 rows,
                  i64 width) {  // h takes the place of dh
#pragma omp parallel for schedule(static) if (rows * width > kWorthThreads)
  for (i64 i = 0; i < rows; ++i) {
    const T *gi = g + i * gu_row, *ui = u + i * gu_row;
    T *dhi = dh + i * dh_row, *dgi = dg + i * d_row, *dui = du + i * d_row;
#ifdef HAVE_LANES
    for (i64 j = 0; j < width; j += 16) {
      const __mmask16 some = first_lanes(width - j);
      const Lanes d = load(dhi + j, some), gate = load(gi + j, some);
      const Lanes other = load(ui + j, some), act = Act::f(gate);
      store(dgi + j, d * other * Act::df(gate), some);
      store(dui + j, d * act, some);
      store(dhi + j, act * other, some);
    }
#else
#pragma omp simd
    for (i64 j = 0; j < width; ++j) {
      const float d = value(dhi[j]), gate = value(gi[j]);
      const float other = value(ui[j]), act = Act::f(gate);
      dgi[j] = rounded<T>(d * other * Act::df(gate));
      dui[j] = rounded<T>(d * act);
      dhi[j] = rounded<T>(act * other);
    }
#endif
  }
}

template <class T> float largest(const T* z, i64 count) {
  float top = -3.0e38f;
#pragma omp simd reduction(max : top)
  for (i64 j = 0; j < count; ++j) top = std::max(top, value(z[j]));
  return top;
}

// sum of exp(z - top)
template <class T> float exponential_sum(const T* z, float top, i64 count) {
  i64 first = 0;
  float sum = 0.0f;
#ifdef HAVE_LANES
  Lanes sums = _mm512_setzero_ps();
  for (; first + 16 <= count; first += 16) sums += exponential(load(z + first) - top);
  sum = _mm512_reduce_add_ps(sums);
#else
#pragma omp simd reduction(+ : sum)
#endif
  for (i64 j = first; j < count; ++j) sum += exponential(value(z[j]) - top);
  return sum;
}

// z becomes -exp(z - lse)
template <class T> void minus_softmax(T* z, float lse, i64 count) {
#ifdef HAVE_LANES
  for (i64 j = 0; j < count; j += 16) {
    const __mmask16 some = first_lanes(count - j);
    store(z + j, -exponential(load(z + j, some) - lse), some);
  }
#else
#pragma omp simd
  for (i64 j = 0; j < count; ++j) z[j] = rounded<T>(-exponential(value(z[j]) - lse));
#endif
}

// logp[i] = z[y] - logsumexp(z); with `grad`, z becomes d logp / d z = onehot(y) - softmax(z) in place.
template <class T>
void cross_entropy(T* logits, const i64* targets, float* logp, i64 rows, i64 vocab, bool grad) {
#pragma omp parallel for schedule(dynamic, 1)
  for (i64 i = 0; i < rows; ++i) {
    T* z = logits + i * vocab;
    const float top = largest(z, vocab);
    double total = 0.0;
    for (i64 start = 0; start < vocab; start += 4096)  // float sums of 4,096 keep seven digits
      total += exponential_sum(z + start, top, std::min<i64>(4096, vocab - start));
    const float lse = top + static_cast<float>(__builtin_log(total));
    const float hit = value(z[targets[i]]) - lse;
    logp[i] = hit;
    if (!grad) continue;
    minus_softmax(z, lse, vocab);
    z[targets[i]] = rounded<T>(1.0f - exponential(hit));
  }
}

// room (R, W) = scale b, rows of a wider matrix
template <class T> void lora_room(const float* b, float scale, T* room, i64 room_row, i64 rows, i64 width) {
#pragma omp parallel for schedule(static) if (rows * width > 4 * kWorthThreads)
  for (i64 i = 0; i < rows; ++i) {
    const float* in = b + i * width;
    T* out = room + i * room_row;
#ifdef HAVE_LANES
    for (i64 j = 0; j < width; j += 16) {
      const __mmask16 some = first_lanes(width - j);
      store(out + j, load(in + j, some) * scale, some);
    }
#else
#pragma omp simd
    for (i64 j = 0; j < width; ++j) out[j] = rounded<T>(in[j] * scale);
#endif
  }
}

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
  void fw_glu_backward_##name(i64 gelu, const T* g, const T* u, i64 gu_row, T* dh, i64 dh_row, T* dg,         \
                              T* du, i64 d_row, i64 rows, i64 width) {                                        \
    (gelu ? glu_backward<GeluTanh, T> : glu_backward<Silu, T>)(g, u, gu_row, dh, dh_row, dg, du, d_row, rows, \
                                                               width);                                        \
  }                                                                                                           \
  void fw_cross_entropy_##name(T* logits, const i64* targets, float* logp, i64 rows, i64 vocab, i64 grad) {   \
    cross_entropy(logits, targets, logp, rows, vocab, grad != 0);                                             \
  }                                                                                                           \
  void fw_lora_room_##name(const float* b, float scale, T* room, i64 room_row, i64 rows, i64 width) {         \
    lora_room(b, scale, room, room_row, rows, width);                                                         \
  }

extern "C" {

BOTH(float, f32)
BOTH(bf16, bf16)
}
