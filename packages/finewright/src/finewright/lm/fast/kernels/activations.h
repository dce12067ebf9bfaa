// The activations of gated MLPs and their slopes, of one number or of sixteen.

#pragma once

#include "numbers.h"

namespace {

struct Silu {
  template <class V> static V f(V g) { return g * sigmoid(g); }
  template <class V> static V df(V g) {
    const V s = sigmoid(g);
    return s * (1.0f + g * (1.0f - s));
  }
};

struct GeluTanh {  // 0.5 g (1 + tanh(z)) = g sigmoid(2 z), z = sqrt(2/pi) (g + 0.044715 g^3)
  template <class V> static V f(V g) { return g * sigmoid(1.5957691216f * (g + 0.044715f * g * g * g)); }
  template <class V> static V df(V g) {
    const V s = sigmoid(1.5957691216f * (g + 0.044715f * g * g * g));
    return s + g * s * (1.0f - s) * 1.5957691216f * (1.0f + 0.134145f * g * g);
  }
};

// h = act(g) * u, rounded
template <class Act, class T> inline void gated(const float* g, const float* u, T* h, i64 width) {
  i64 from = 0;
#ifdef HAVE_LANES
  for (; from + 16 <= width; from += 16) store(h + from, Act::f(load(g + from)) * load(u + from));
#endif
#pragma omp simd
  for (i64 j = from; j < width; ++j) h[j] = rounded<T>(Act::f(g[j]) * u[j]);
}

}  // namespace
