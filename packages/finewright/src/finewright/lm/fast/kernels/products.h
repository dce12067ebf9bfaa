// Products of bfloat16 matrices with float32 sums, for kernels that go on with the result at once.
//
// C (M x N) = or += A (M x 2K) B (2K x N), numbers in pairs along the sum. A is read from any strides; B must lie
// so that one load takes sixteen columns of a pair of rows. VDPBF16PS multiplies sixteen pairs at a time; Intel's
// tiles (AMX) sixteen by sixteen by sixteen, where A's pairs lie side by side.

#pragma once

#include <cstdlib>
#include <memory>

#include "numbers.h"

#ifdef HAVE_BF16_DOT

#if defined(__AMX_BF16__) && defined(__AMX_TILE__)
#include <sys/syscall.h>
#include <unistd.h>
#define HAVE_TILES 1
#endif

namespace {

struct Buffer {
  explicit Buffer(i64 bytes)
      : memory(static_cast<char*>(std::aligned_alloc(64, (bytes + 127) / 64 * 64)), &std::free) {}
  template <class T> T* as() { return reinterpret_cast<T*>(memory.get()); }
  std::unique_ptr<char, void (*)(void*)> memory;
};

struct Left {  // A: 32-bit pairs, by strides
  const u32* data;
  i64 row, pair;
  Left at(i64 m, i64 k) const { return {data + m * row + k * pair, row, pair}; }
};

struct Right {  // B: sixteen columns together, then by the steps between groups of them and between pairs
  const u32* data;
  i64 group, pair;
  Right at(i64 n, i64 k) const { return {data + n / 16 * group + k * pair, group, pair}; }
};

template <int M, int N>
inline void dot_block(i64 pairs, Left a, Right b, float* c, i64 c_row, bool add) {
  Lanes sum[M][N];
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) sum[m][n] = add ? load(c + m * c_row + 16 * n) : _mm512_setzero_ps();
  for (i64 k = 0; k < pairs; ++k) {
    __m512i right[N];
    for (int n = 0; n < N; ++n) right[n] = _mm512_loadu_si512(b.data + n * b.group + k * b.pair);
    for (int m = 0; m < M; ++m) {
      const __m512i left = _mm512_set1_epi32(static_cast<int>(a.data[m * a.row + k * a.pair]));
      for (int n = 0; n < N; ++n)
        sum[m][n] = _mm512_dpbf16_ps(sum[m][n], (__m512bh)left, (__m512bh)right[n]);
    }
  }
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) store(c + m * c_row + 16 * n, sum[m][n]);
}

template <int N> inline void dot_strip(i64 rows, i64 pairs, Left a, Right b, float* c, i64 c_row, bool add) {
  constexpr int M = 6;  // 6 x 4 sums, 4 loads and a broadcast fit the 32 registers
  i64 m = 0;
  for (; m + M <= rows; m += M) dot_block<M, N>(pairs, a.at(m, 0), b, c + m * c_row, c_row, add);
  a = a.at(m, 0);
  c += m * c_row;
  switch (rows - m) {
    case 5: return dot_block<5, N>(pairs, a, b, c, c_row, add);
    case 4: return dot_block<4, N>(pairs, a, b, c, c_row, add);
    case 3: return dot_block<3, N>(pairs, a, b, c, c_row, add);
    case 2: return dot_block<2, N>(pairs, a, b, c, c_row, add);
    case 1: return dot_block<1, N>(pairs, a, b, c, c_row, add);
    default: return;
  }
}

inline void dot_product(i64 rows, i64 columns, i64 pairs, Left a, Right b, float* c, i64 c_row, bool add) {
  i64 n = 0;
  for (; n + 64 <= columns; n += 64) dot_strip<4>(rows, pairs, a, b.at(n, 0), c + n, c_row, add);
  for (; n < columns; n += 16) dot_strip<1>(rows, pairs, a, b.at(n, 0), c + n, c_row, add);
}

#ifdef HAVE_TILES

constexpr bool kTiles = true;

// Linux grants a process the tiles when it asks.
inline bool granted() {
  constexpr long kAsk = 0x1023, kTileData = 18;
  static const bool granted = syscall(SYS_arch_prctl, kAsk, kTileData) == 0;
  return granted;
}

// While one lives, its thread's eight tiles are sixteen rows of sixteen pairs each.
class UsingTiles {
 public:
  UsingTiles() {
    if (!granted()) return;
    struct alignas(64) {
      std::uint8_t palette = 1, start = 0, reserved[14] = {};
      std::uint16_t row_bytes[16] = {};
      std::uint8_t rows[16] = {};
    } shape;
    std::fill(shape.row_bytes, shape.row_bytes + 8, 64);
    std::fill(shape.rows, shape.rows + 8, 16);
    asm volatile("" ::"r"(&shape) : "memory");  // some compilers think that only its first bytes are read
    _tile_loadconfig(&shape);
  }
  ~UsingTiles() {
    if (granted()) _tile_release();
  }
  UsingTiles(const UsingTiles&) = delete;
  UsingTiles& operator=(const UsingTiles&) = delete;
};

// 16 M x 16 N sums; a tile's number must be a constant
template <int M, int N> inline void tile_block(i64 pairs, Left a, Right b, float* c, i64 c_row, bool add) {
  float *c1 = c + 16 * c_row, *corner = c1 + 16;
  asm volatile("" ::: "memory");  // a tile's load does not tell the compiler what it reads
  if (add) {
    _tile_loadd(0, c, c_row * 4);
    if (N > 1) _tile_loadd(1, c + 16, c_row * 4);
    if (M > 1) _tile_loadd(2, c1, c_row * 4);
    if (M > 1 && N > 1) _tile_loadd(3, corner, c_row * 4);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (i64 k = 0; k < pairs; k += 16) {
    _tile_loadd(4, a.at(0, k).data, a.row * 4);
    _tile_loadd(6, b.at(0, k).data, b.pair * 4);
    _tile_dpbf16ps(0, 4, 6);
    if (N > 1) _tile_loadd(7, b.at(16, k).data, b.pair * 4);
    if (N > 1) _tile_dpbf16ps(1, 4, 7);
    if (M > 1) _tile_loadd(5, a.at(16, k).data, a.row * 4);
    if (M > 1) _tile_dpbf16ps(2, 5, 6);
    if (M > 1 && N > 1) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, c_row * 4);
  if (N > 1) _tile_stored(1, c + 16, c_row * 4);
  if (M > 1) _tile_stored(2, c1, c_row * 4);
  if (M > 1 && N > 1) _tile_stored(3, corner, c_row * 4);
}

template <int M> inline void tile_strip(i64 columns, i64 pairs, Left a, Right b, float* c, i64 c_row, bool add) {
  i64 n = 0;
  for (; n + 32 <= columns; n += 32) tile_block<M, 2>(pairs, a, b.at(n, 0), c + n, c_row, add);
  if (n < columns) tile_block<M, 1>(pairs, a, b.at(n, 0), c + n, c_row, add);
}

// rows, columns and pairs are in sixteens
inline void tile_product(i64 rows, i64 columns, i64 pairs, Left a, Right b, float* c, i64 c_row, bool add) {
  i64 m = 0;
  for (; m + 32 <= rows; m += 32) tile_strip<2>(columns, pairs, a.at(m, 0), b, c + m * c_row, c_row, add);
  if (m < rows) tile_strip<1>(columns, pairs, a.at(m, 0), b, c + m * c_row, c_row, add);
}

#else

constexpr bool kTiles = false;

struct UsingTiles {};

#endif

// columns are in sixteens
inline void product(i64 rows, i64 columns, i64 pairs, Left a, Right b, float* c, i64 c_row, bool add) {
#ifdef HAVE_TILES
  const i64 m = rows / 16 * 16, k = pairs / 16 * 16;
  if (a.pair == 1 && m && k && granted()) {
    tile_product(m, columns, k, a, b, c, c_row, add);
    if (k < pairs) dot_product(m, columns, pairs - k, a.at(0, k), b.at(0, k), c, c_row, true);
    if (m < rows) dot_product(rows - m, columns, pairs, a.at(m, 0), b, c + m * c_row, c_row, add);
    return;
  }
#endif
  dot_product(rows, columns, pairs, a, b, c, c_row, add);
}

inline i64 up(i64 n, i64 step) { return (n + step - 1) / step * step; }

// sixteen rows of sixteen 32-bit words, turned
inline void turn16(const u32* const rows[16], u32* out, i64 out_row = 16) {
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
    _mm512_storeu_si512(out + i * out_row, _mm512_shuffle_i32x4(s[i], s[i + 8], 0x88));
    _mm512_storeu_si512(out + (i + 8) * out_row, _mm512_shuffle_i32x4(s[i], s[i + 8], 0xdd));
    _mm512_storeu_si512(out + (i + 4) * out_row, _mm512_shuffle_i32x4(s[i + 4], s[i + 12], 0x88));
    _mm512_storeu_si512(out + (i + 12) * out_row, _mm512_shuffle_i32x4(s[i + 4], s[i + 12], 0xdd));
  }
}

inline __m512i words(const bf16* x) {  // sixteen numbers, each in the lower half of a word
  return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
}

// Sixteen columns of a right side in pairs, from these columns of W; rows from `count` up to `rows` are zeros.
inline void pack_straight(const bf16* w, i64 row, i64 count, i64 rows, u32* out) {
  for (i64 k = 0; k < rows; k += 2) {
    const __m512i first = k < count ? words(w + k * row) : _mm512_setzero_si512();
    const __m512i second = k + 1 < count ? words(w + (k + 1) * row) : _mm512_setzero_si512();
    _mm512_storeu_si512(out + k / 2 * 16, _mm512_or_si512(first, _mm512_slli_epi32(second, 16)));
  }
}

// The same from rows of W that are these columns: W^T; `width` is in 32s.
inline void pack_turned(const bf16* w, i64 row, i64 width, u32* out) {
  for (i64 k = 0; k < width; k += 32) {
    const u32* rows[16];
    for (i64 n = 0; n < 16; ++n) rows[n] = reinterpret_cast<const u32*>(w + n * row + k);
    turn16(rows, out + k / 2 * 16);
  }
}

}  // namespace

#endif
