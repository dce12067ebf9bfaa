// Products of LoRA with r on one side. They are over before a general GEMM has packed its operands: these pack
// only the thin side, and do in the same pass what the formula does next, which is laying x A^T beside x, adding
// (dx A) A to the gradient, summing in float32. Called from native.py with raw pointers; see linear.py.
//
// Shape legend: T tokens, K width, r rank.

#include <algorithm>
#include <cstring>

#include "products.h"

#ifdef HAVE_BF16_DOT

namespace {

constexpr i64 kThinRows = kTiles ? 64 : 24;

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
    const UsingTiles tiles;
#pragma omp for schedule(static)
    for (i64 t0 = 0; t0 < tokens; t0 += kThinRows) {
      const i64 rows = std::min(kThinRows, tokens - t0);
      product(rows, rank, pairs, {reinterpret_cast<const u32*>(x + t0 * x_row), x_row / 2, 1},
              {panels, pairs * 16, 16}, low, rank, false);
      for (i64 t = 0; t < rows; ++t) {
        bf16* to = out + (t0 + t) * out_row;
        std::memcpy(to, x + (t0 + t) * x_row, width * sizeof(bf16));
        for (i64 j = 0; j < rank; ++j) to[width + j] = rounded<bf16>(low[t * rank + j]);
      }
    }
  }
}

// M rows and 16 N columns of out = c + left b, where c and left are parts of the same rows
template <int M, int N>
inline void add_block(const bf16* c, const u32* left, i64 row, i64 pairs, const u32* b, i64 b_k, bf16* out, i64 out_row) {
  Lanes sum[M][N];
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) sum[m][n] = load(c + m * row + 16 * n);
  for (i64 k = 0; k < pairs; ++k) {
    __m512i right[N];
    for (int n = 0; n < N; ++n) right[n] = _mm512_loadu_si512(b + k * b_k + 16 * n);
    for (int m = 0; m < M; ++m) {
      const __m512i pair = _mm512_set1_epi32(static_cast<int>(left[m * (row / 2) + k]));
      for (int n = 0; n < N; ++n) sum[m][n] = _mm512_dpbf16_ps(sum[m][n], (__m512bh)pair, (__m512bh)right[n]);
    }
  }
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) store(out + m * out_row + 16 * n, sum[m][n]);
}

template <int M>
inline void add_rows(const bf16* both, i64 width, i64 rank, const u32* pairs, bf16* dx) {
  const i64 row = width + rank;
  const u32* left = reinterpret_cast<const u32*>(both + width);
  i64 k = 0;
  for (; k + 64 <= width; k += 64) add_block<M, 4>(both + k, left, row, rank / 2, pairs + k, width, dx + k, width);
  for (; k < width; k += 16) add_block<M, 1>(both + k, left, row, rank / 2, pairs + k, width, dx + k, width);
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

// out (r, K) float32 = scale low^T x, or turned (K, r);  low (T, r) and x (T, K) of any row stride
void lora_outer(const bf16* low, i64 low_row, const bf16* x, i64 x_row, float* out, i64 tokens, i64 width, i64 rank,
                float scale, bool turned) {
  constexpr i64 kColumns = 64, kPairs = 64;
  const i64 count = (tokens + 1) / 2;
  Buffer packed(count * rank * 4);
  u32* left = packed.as<u32>();  // [r][T/2]
  for (i64 p = 0; p < count; ++p)
    for (i64 j = 0; j < rank; ++j) {
      const bf16* at = low + 2 * p * low_row + j;
      left[j * count + p] = u32(at[0].bits) | (2 * p + 1 < tokens ? u32(at[low_row].bits) << 16 : 0);
    }
#pragma omp parallel for schedule(static)
  for (i64 k0 = 0; k0 < width; k0 += kColumns) {
    const i64 columns = std::min(kColumns, width - k0);
    const UsingTiles tiles;
    Buffer memory(rank * columns * 4);
    float* sums = memory.as<float>();
    alignas(64) u32 right[kPairs * kColumns];  // [columns/16][T/2][16]
    for (i64 p0 = 0; p0 < count; p0 += kPairs) {
      const i64 pairs = std::min(kPairs, count - p0);
      for (i64 k = 0; k < columns; k += 16)
        pack_straight(x + 2 * p0 * x_row + k0 + k, x_row, tokens - 2 * p0, 2 * pairs, right + k * pairs);
      product(rank, columns, pairs, {left + p0, count, 1}, {right, pairs * 16, 16}, sums, columns, p0 > 0);
    }
    for (i64 j = 0; j < rank; ++j)
      for (i64 k = 0; k < columns; ++k) {
        float* to = turned ? out + (k0 + k) * rank + j : out + j * width + k0 + k;
        *to = scale * sums[j * columns + k];
      }
  }
}

}  // namespace

extern "C" {

void fw_lora_widen(const bf16* x, i64 x_row, const bf16* a, bf16* out, i64 tokens, i64 width, i64 rank) {
  lora_widen(x, x_row, a, out, tokens, width, rank);
}

void fw_lora_narrow(const bf16* both, const bf16* a, bf16* dx, i64 tokens, i64 width, i64 rank) {
  lora_narrow(both, a, dx, tokens, width, rank);
}

void fw_lora_outer(const bf16* low, i64 low_row, const bf16* x, i64 x_row, float* out, i64 tokens, i64 width, i64 rank,
                   float scale, i64 turned) {
  lora_outer(low, low_row, x, x_row, out, tokens, width, rank, scale, turned != 0);
}

}

#endif
