// Products of activations with a frozen weight by Intel's tiles (AMX), and LoRA's delta in the same sums.
//
//   y  = x W^T + low (s B)^T + b        low  = x A^T
//   dx = dy W  + dlow A                 dlow = dy (s B)
//
// W and s B stand side by side in one matrix. oneDNN lays x and low side by side too, compiles a kernel for every new
// number of rows, and gives all work to one of two cores at some widths (1.1 TFLOP/s where 2.4 are there: 576 columns,
// 1,024 rows). Here each thread has a rectangle of the result and packs the columns it needs, a slab at a time.
// Large results are written past the caches: nobody reads them before they would have been pushed out.
//
// Called from native.py with raw pointers; see linear.py. Shape legend: T rows of x, K its width, N columns, r rank.

#include <omp.h>

#include <cstring>

#include "products.h"

#ifdef HAVE_TILES

namespace {

constexpr i64 kColumns = 32;
constexpr i64 kSlabBytes = 256 << 10, kChunkBytes = 512 << 10;  // packed columns and rows of x that share a second cache
constexpr i64 kPastBytes = 1 << 20;

// [in, in2] (T, K + K2), the second part contiguous; widths in 32s
struct Rows {
  const bf16* in;
  i64 row, width;
  const bf16* more;
  i64 more_width;
};

// 32 rows of 32 sums: `c` = rows times 32 packed columns
inline void block(const bf16* in, i64 in_row, i64 width, const bf16* more, i64 more_width, const u32* columns,
                  i64 pairs, float* c) {
  const auto* left = reinterpret_cast<const u32*>(in);
  const auto* low = reinterpret_cast<const u32*>(more);
  const u32 *first = columns, *second = columns + pairs * 16;
  asm volatile("" ::: "memory");
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const auto step = [&](const u32* a, i64 a_row, i64 k) {
    _tile_loadd(6, first + k * 16, 64);
    _tile_loadd(4, a, a_row * 2);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, second + k * 16, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + 8 * a_row, a_row * 2);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  };
  for (i64 k = 0; k < width / 2; k += 16) step(left + k, in_row, k);
  for (i64 k = 0; k < more_width / 2; k += 16) step(low + k, more_width, width / 2 + k);
  _tile_stored(0, c, 128);
  _tile_stored(1, c + 16, 128);
  _tile_stored(2, c + 16 * 32, 128);
  _tile_stored(3, c + 16 * 32 + 16, 128);
}

// rows [t0, t1) of out, 32 columns
void strip(const Rows& x, const u32* columns, const bf16* bias, bf16* out, i64 out_row, i64 t0, i64 t1,
           bool past_caches) {
  alignas(64) float sums[32 * 32];
  const i64 pairs = (x.width + x.more_width) / 2;
  const bool past = past_caches && reinterpret_cast<std::uintptr_t>(out) % 64 == 0;
  const Lanes b0 = bias ? load(bias) : _mm512_setzero_ps(), b1 = bias ? load(bias + 16) : _mm512_setzero_ps();
  for (i64 t = t0; t < t1; t += 32) {
    const bf16 *in = x.in + t * x.row, *more = x.more + t * x.more_width;
    const i64 rows = std::min<i64>(32, t1 - t);
    if (rows == 32) {
      block(in, x.row, x.width, more, x.more_width, columns, pairs, sums);
    } else {  // a copy, as nobody may read beyond the last row
      Buffer memory(32 * (x.width + x.more_width) * 2);
      bf16 *copy = memory.as<bf16>(), *second = copy + 32 * x.width;
      std::memset(copy, 0, 32 * (x.width + x.more_width) * 2);
      for (i64 i = 0; i < rows; ++i) std::memcpy(copy + i * x.width, in + i * x.row, x.width * 2);
      std::memcpy(second, more, rows * x.more_width * 2);
      block(copy, x.width, x.width, second, x.more_width, columns, pairs, sums);
    }
    for (i64 i = 0; i < rows; ++i) {
      bf16* y = out + (t + i) * out_row;
      const Lanes s0 = load(sums + i * 32) + b0, s1 = load(sums + i * 32 + 16) + b1;
      const auto both = (__m512i)_mm512_cvtne2ps_pbh(s1, s0);
      if (past)  // whole lines of 64 bytes
        _mm512_stream_si512(reinterpret_cast<__m512i*>(y), both);
      else
        _mm512_storeu_si512(y, both);
    }
  }
}

// The right side: N columns out of W (N, K + r) or out of W (K, N + r), and what is added to its length.
struct Weight {
  const bf16* data;
  i64 row;
  bool turned;
  const bf16* more;  // (r, N), r rows, where W is not turned; else its rows go on with r numbers
  i64 rank, columns;

  void pack(i64 n, i64 width, i64 more_width, u32* out) const {
    if (turned) {
      const bf16* w = data + n * row;
      pack_turned(w, row, width, out);
      pack_rest(w + width, more_width, out + width / 2 * 16);
    } else {
      pack_straight(data + n, row, width, width, out);
      pack_straight(more + n, columns, rank, more_width, out + width / 2 * 16);
    }
  }
  void pack_rest(const bf16* w, i64 more_width, u32* out) const {  // r numbers of sixteen rows, then zeros
    std::memset(out, 0, more_width / 2 * 16 * sizeof(u32));
    for (i64 n = 0; n < 16; ++n)
      for (i64 j = 0; j < rank / 2; ++j) out[j * 16 + n] = reinterpret_cast<const u32*>(w + n * row)[j];
  }
};

// How the threads share T x N: each has a rectangle, so that what it packs is in its own cache.
struct Share {
  i64 t0, t1, n0, n1;
  static Share of(i64 thread, i64 threads, i64 tokens, i64 columns) {
    const i64 panels = columns / kColumns;
    i64 across = threads;
    while (across > 1 && (threads % across || across > panels)) --across;
    const i64 down = threads / across, i = thread % across, j = thread / across;
    const auto part = [](i64 of, i64 at, i64 count) { return of * at / count; };
    const i64 steps = (tokens + 31) / 32;
    return {std::min(tokens, part(steps, j, down) * 32), std::min(tokens, part(steps, j + 1, down) * 32),
            part(panels, i, across) * kColumns, part(panels, i + 1, across) * kColumns};
  }
};

void wide_product(const Rows& x, const Weight& weight, const bf16* bias, bf16* out, i64 tokens, const Share& share) {
  if (share.t0 == share.t1) return;
  const i64 pairs = (x.width + x.more_width) / 2, panel = pairs * 16;
  const i64 slab = std::max(kSlabBytes / (pairs * 4) / kColumns * kColumns, kColumns);
  const i64 chunk = std::max<i64>(kChunkBytes / (x.width * 2) / 32 * 32, 32);
  const bool past_caches = tokens * weight.columns * 2 > kPastBytes;
  Buffer memory(std::min(slab, share.n1 - share.n0) / 16 * panel * 4);
  u32* packed = memory.as<u32>();
  for (i64 n0 = share.n0; n0 < share.n1; n0 += slab) {
    const i64 n1 = std::min(n0 + slab, share.n1);
    for (i64 n = n0; n < n1; n += 16) weight.pack(n, x.width, x.more_width, packed + (n - n0) / 16 * panel);
    for (i64 t0 = share.t0; t0 < share.t1; t0 += chunk)
      for (i64 n = n0; n < n1; n += kColumns)
        strip(x, packed + (n - n0) / 16 * panel, bias ? bias + n : nullptr, out + n, weight.columns, t0,
             std::min(t0 + chunk, share.t1), past_caches);
  }
  _mm_sfence();  // such writes are not ordered
}

// low (T, up(r, 32)) = x B', of B' in sixteens of columns; what lies beyond r is zeros
void thin_product(const bf16* x, i64 x_row, i64 width, const u32* panels, i64 rank, bf16* low, i64 low_width,
                  i64 tokens) {
  Buffer memory(64 * rank * 4);
  float* sums = memory.as<float>();
#pragma omp for schedule(static)
  for (i64 t0 = 0; t0 < tokens; t0 += 64) {
    const i64 rows = std::min<i64>(64, tokens - t0);
    product(rows, rank, width / 2, {reinterpret_cast<const u32*>(x + t0 * x_row), x_row / 2, 1},
            {panels, width / 2 * 16, 16}, sums, rank, false);
    for (i64 t = 0; t < rows; ++t) {
      bf16* to = low + (t0 + t) * low_width;
      for (i64 j = 0; j < rank; j += 16) store(to + j, load(sums + t * rank + j));
      for (i64 j = rank; j < low_width; ++j) to[j] = bf16{0};
    }
  }
}

}  // namespace

extern "C" {

i64 fw_has_tiles() { return granted(); }

// x (T, K) -> y (T, N) and low (T, up(r, 32)); weight (N, K + r) ends in s B, a (r, K), bias (N,) or null
void fw_wide_forward(const bf16* x, i64 x_row, const bf16* weight, const bf16* a, const bf16* bias, bf16* y, bf16* low,
                     i64 tokens, i64 width, i64 columns, i64 rank) {
  const i64 low_width = up(rank, 32), panel = width / 2 * 16;
  Buffer memory(rank * width * 2);
  u32* panels = memory.as<u32>();
  for (i64 j = 0; j < rank; j += 16) pack_turned(a + j * width, width, width, panels + j / 16 * panel);
#pragma omp parallel
  {
    const UsingTiles tiles;
    thin_product(x, x_row, width, panels, rank, low, low_width, tokens);
    wide_product({x, x_row, width, low, low_width}, {weight, width + rank, true, nullptr, rank, columns}, bias, y, tokens,
                 Share::of(omp_get_thread_num(), omp_get_num_threads(), tokens, columns));
  }
}

// dy (T, N) -> dx (T, K) and dlow (T, up(r, 32)); weight (N, K + r) ends in s B, a (r, K)
void fw_wide_backward(const bf16* dy, i64 dy_row, const bf16* weight, const bf16* a, bf16* dx, bf16* dlow, i64 tokens,
                      i64 width, i64 columns, i64 rank) {
  const i64 low_width = up(rank, 32), panel = columns / 2 * 16;
  Buffer memory(rank * columns * 2);
  u32* panels = memory.as<u32>();
  for (i64 j = 0; j < rank; j += 16)
    pack_straight(weight + width + j, width + rank, columns, columns, panels + j / 16 * panel);
#pragma omp parallel
  {
    const UsingTiles tiles;
    thin_product(dy, dy_row, columns, panels, rank, dlow, low_width, tokens);
    wide_product({dy, dy_row, columns, dlow, low_width}, {weight, width + rank, false, a, rank, width}, nullptr, dx, tokens,
                 Share::of(omp_get_thread_num(), omp_get_num_threads(), tokens, width));
  }
}
}

#else

extern "C" long fw_has_tiles() { return 0; }

#endif
