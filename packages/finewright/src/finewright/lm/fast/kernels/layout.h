// How a step's rows and attention are cut into items that threads take.

#pragma once

#include <vector>

#include "step.h"

namespace {

constexpr i64 kQueriesOfUnit = 96;  // which stay in a second cache with a tile of keys and values
constexpr i64 kRowsTogether = 4;
constexpr i64 kSlab = 512;  // rows whose intermediate numbers stay in a third cache
constexpr i64 kOwnSlab = 128, kFewestOwn = 96;  // in a second cache; and what is worth reading a weight for

struct Rows {  // rows of one group that are handled together; `local`: the first one's place in its slab
  i64 first, count;
  const Adapter* adapter;
  i64 local;
};

struct Slab {  // rows that go through a part of a layer together
  i64 first, count;
  std::vector<Group> groups;
  std::vector<Rows> blocks;
};

// Many rows: each slab goes through a part of a layer on one thread, and nobody waits for another. Fewer: all threads
// share a slab, each its own columns of a weight.
struct Layout {
  bool alone = false;
  i64 rows_of_slab = 0;
  std::vector<Slab> slabs;
};

inline Layout layout_of(const std::vector<Group>& groups, i64 rows, i64 threads) {
  Layout found;
  found.alone = rows >= threads * kFewestOwn;
  const i64 rounds = (rows + threads * kOwnSlab - 1) / (threads * kOwnSlab), equal = std::max<i64>(1, threads * rounds);
  found.rows_of_slab = found.alone ? (rows + equal - 1) / equal : std::min(rows, kSlab);
  const i64 together = std::clamp<i64>(rows / threads, 1, kRowsTogether);
  for (i64 from = 0; from < rows; from += found.rows_of_slab) {
    Slab slab{from, std::min(found.rows_of_slab, rows - from), {}, {}};
    for (const Group& all : groups) {
      const i64 first = std::max(all.first, from), end = std::min(all.first + all.count, from + slab.count);
      if (first < end) slab.groups.push_back({all.adapter, first, end - first});
      for (i64 i = first; i < end; i += together)
        slab.blocks.push_back({i, std::min(together, end - i), all.adapter, i - from});
    }
    found.slabs.push_back(std::move(slab));
  }
  return found;
}

struct Unit {  // attention of some tokens of a piece, one key head
  const Piece* piece;
  i64 head, first, count;
};

inline void lay_units(const Model& model, const Piece& piece, i64 first, i64 end, std::vector<Unit>& units) {
  const i64 together = std::max<i64>(1, kQueriesOfUnit * model.kv_heads / model.heads);
  for (i64 h = 0; h < model.kv_heads; ++h)
    for (i64 i = first; i < end; i += together) units.push_back({&piece, h, i, std::min(together, end - i)});
}

}  // namespace
