// A step of generation, all layers in one call: new tokens of many sequences in, logits of the wanted ones out.
//
// The threads are one team for the whole step, and wait for the end of each part of a layer: products take columns of
// the weights, which are read from memory once a step; everything else takes rows. Sums are float32 and rounded where a
// product reads them; the residual is never rounded. Adapters' thin products stand beside the frozen weights'
// (`low` in the same part, what it adds where the rows are read next), so that they cost no meeting of threads. A
// row's result is a function of its sequence alone: no sum's order depends on other rows or on threads.
//
// Called from structures.py with structures of raw pointers. Shape legend: R rows (new tokens), H hidden, D head.

#include <omp.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "activations.h"
#include "arena.h"
#include "attend.h"
#include "columns.h"
#include "elementwise.h"
#include "layout.h"
#include "parts.h"

namespace {

inline i64 up(i64 n, i64 step) { return (n + step - 1) / step * step; }

// What all threads share in a step.
template <class T> class Step {
 public:
  Step(const Model& model, const Batch& batch, Arena& arena) : m_(model), b_(batch), threads_(omp_get_max_threads()) {
    const i64 queries = m_.queries(), keys = m_.keys();
    // an odd number of lines, as rows that are a power of two apart share few places of a cache
    wide_row_ = up(std::max({queries + 2 * keys, 2 * m_.intermediate, m_.hidden}), 32) + 16;
    widest_ = up(std::max({m_.hidden, m_.intermediate, queries}), 64) + 32;
    attention_row_ = kQueriesOfUnit * (up(m_.head_dim, 16) + 2) + kQueriesTogether * kTile;
    const i64 rows = b_.rows, most = std::max(b_.rows, b_.num_logits);
    lay_rows();
    const i64 lines = Parts::lines_of(threads_) * num_parts();
    const i64 slab = std::max(rows_at_once(all_), rows_at_once(last_));
    arena.lay([&] {
      lines_ = arena.take<Line>(lines);
      residual_ = arena.take<float>(rows * m_.hidden);
      wide_ = arena.take<float>(slab * wide_row_);
      low_ = arena.take<float>(3 * slab * b_.max_rank);
      normed_ = arena.take<T>(most * m_.hidden);
      queries_ = arena.take<T>(rows * queries);
      attended_ = arena.take<T>(rows * queries);
      gated_ = arena.take<T>(slab * m_.intermediate);
      whole_ = arena.take<T>(threads_ * kColumns * widest_);
      attention_ = arena.take<float>(threads_ * attention_row_);
      keys_ = arena.take<T>(threads_ * up(m_.head_dim, 64));
      if (b_.logits) return;
      some_ = arena.take<float>(threads_ * b_.num_logits * columns_of_a_task(b_.num_logits));
      highest_ = arena.take<float>(threads_ * b_.num_logits);
      likeliest_ = arena.take<i64>(threads_ * b_.num_logits);
    });
    std::fill_n(lines_, lines, Line{});
    if (!b_.logits) std::fill_n(highest_, threads_ * b_.num_logits, -INFINITY);
    if (!b_.logits) std::fill_n(likeliest_, threads_ * b_.num_logits, 0);
  }

  void run() {
#pragma omp parallel num_threads(threads_)
    {
      Parts parts(lines_, threads_);
      for (const Slab& slab : all_.slabs) each(parts, slab.blocks, [&](const Rows& rows) { embed(rows); });
      for (i64 l = 0; l < m_.num_layers; ++l) layer(m_.layers[l], l, parts);
      parts.run(b_.num_logits, 0, [&](i64 j) {
        normed(residual_ + wanted_[j] * m_.hidden, m_.final_norm, m_.hidden, m_.eps, normed_ + j * m_.hidden);
      });
      if (b_.num_logits) b_.logits ? head(parts) : highest(parts);
    }
  }

 private:
  i64 num_parts() const {
    const auto of_layer = [](const Layout& layout) { return layout.alone ? 3 : 8 * layout.slabs.size() + 1; };
    return all_.slabs.size() + m_.num_layers * of_layer(all_) + of_layer(last_) + 4;
  }

  template <class Items, class Do> static void each(Parts& parts, const Items& items, Do&& work) {
    parts.run(0, items.size(), [&](i64 i) { work(items[i]); });
  }

  // The same for the rows of a slab, which may be this thread's own.
  template <class Do> void over(const Layout& layout, const Slab& slab, Parts& parts, Do&& work) {
    if (!layout.alone) return each(parts, slab.blocks, work);
    for (const Rows& rows : slab.blocks) work(rows);
  }
  template <class Do> void over_slabs(const Layout& layout, Parts& parts, Do&& work) {
    if (layout.alone) return each(parts, layout.slabs, work);
    for (const Slab& slab : layout.slabs) work(slab);
  }

  i64 rows_at_once(const Layout& layout) const { return layout.rows_of_slab * (layout.alone ? threads_ : 1); }

  // Where the rows of a slab have their intermediate numbers: a thread's own or everybody's.
  i64 home(const Layout& layout) const { return layout.alone ? omp_get_thread_num() * layout.rows_of_slab : 0; }

  void lay_rows() {
    const std::vector<Group> groups(b_.groups, b_.groups + b_.num_groups);
    all_ = layout_of(groups, b_.rows, threads_);
    piece_of_.resize(b_.rows);
    for (i64 p = 0; p < b_.num_pieces; ++p) {
      for (i64 i = 0; i < b_.pieces[p].count; ++i) piece_of_[b_.pieces[p].first + i] = b_.pieces + p;
      lay_units(m_, b_.pieces[p], 0, b_.pieces[p].count, units_);
    }
    wanted_.assign(b_.logit_rows, b_.logit_rows + b_.num_logits);
    keeps_some_ = 2 * b_.num_logits <= b_.rows;
    if (keeps_some_) lay_last(groups);
  }

  // Behind the last layer's keys and values only rows whose logits are wanted go on, side by side.
  void lay_last(const std::vector<Group>& groups) {
    kept_ = wanted_;
    std::sort(kept_.begin(), kept_.end());
    const auto place = [&](i64 row) { return std::lower_bound(kept_.begin(), kept_.end(), row) - kept_.begin(); };
    std::vector<Group> left;
    for (const Group& all : groups) {
      const i64 first = place(all.first), end = place(all.first + all.count);
      if (first < end) left.push_back({all.adapter, first, end - first});
    }
    last_ = layout_of(left, kept_.size(), threads_);
    for (i64 p = 0; p < b_.num_pieces; ++p) {
      const Piece& piece = b_.pieces[p];
      const i64 first = place(piece.first), end = place(piece.first + piece.count);
      if (first < end) lay_units(m_, piece, kept_[first] - piece.first, kept_[end - 1] - piece.first + 1, last_units_);
    }
    for (i64& row : wanted_) row = place(row);
  }

  void keep_last() {
    for (i64 j = 0; j < static_cast<i64>(kept_.size()); ++j) {  // a row's new place is never behind its old one
      std::memmove(residual_ + j * m_.hidden, residual_ + kept_[j] * m_.hidden, m_.hidden * sizeof(float));
      std::memmove(attended_ + j * m_.queries(), attended_ + kept_[j] * m_.queries(), m_.queries() * sizeof(T));
    }
  }

  const i64* blocks_of(const Piece& piece) const { return b_.blocks + piece.first_block; }

  i64 position(i64 row) const { return piece_of_[row]->start + row - piece_of_[row]->first; }

  void embed(const Rows& rows) {
    for (i64 r = rows.first; r < rows.first + rows.count; ++r) {
      const T* words = static_cast<const T*>(m_.embedding) + b_.tokens[r] * m_.embedding_row;
      float* x = residual_ + r * m_.hidden;
      const Adapter* adapter = rows.adapter;
      if (adapter && adapter->embeddings && position(r) < adapter->num_virtual) {
        const float* own = adapter->embeddings + position(r) * m_.hidden;
        for (i64 j = 0; j < m_.hidden; ++j) x[j] = value(rounded<T>(own[j]));
      } else {
        for (i64 j = 0; j < m_.hidden; ++j) x[j] = value(rounded<T>(value(words[j]) * m_.embedding_scale));
      }
      normed(x, m_.layers[0].before_attention, m_.hidden, m_.eps, normed_ + r * m_.hidden);
    }
  }

  void layer(const Layer& layer, i64 number, Parts& parts) {
    const i64 hidden = m_.hidden, queries = m_.queries();
    over_slabs(all_, parts, [&](const Slab& slab) {
      product(layer.qkv, all_, slab, normed_ + slab.first * hidden, hidden, parts);
      over(all_, slab, parts, [&](const Rows& rows) { turn(layer, number, rows, home(all_) + rows.local); });
    });
    const bool is_last = number + 1 == m_.num_layers && keeps_some_;
    each(parts, is_last ? last_units_ : units_, [&](const Unit& unit) { look(layer, unit); });
    if (is_last) {
      parts.run(0, 1, [&](i64) { keep_last(); });
    }
    const Layout& layout = is_last ? last_ : all_;
    const float* following = number + 1 < m_.num_layers ? m_.layers[number + 1].before_attention : nullptr;
    over_slabs(layout, parts, [&](const Slab& slab) {
      product(layer.out, layout, slab, attended_ + slab.first * queries, queries, parts);
      over(layout, slab, parts, [&](const Rows& rows) {
        join(layer.out, layer.after_attention, layer.before_mlp, rows, home(layout) + rows.local);
      });
      product(layer.gate_up, layout, slab, normed_ + slab.first * hidden, hidden, parts);
      over(layout, slab, parts, [&](const Rows& rows) { gate(layer, rows, home(layout) + rows.local); });
      product(layer.down, layout, slab, gated_ + home(layout) * m_.intermediate, m_.intermediate, parts);
      over(layout, slab, parts, [&](const Rows& rows) {
        join(layer.down, layer.after_mlp, following, rows, home(layout) + rows.local);
      });
    });
  }

  // wide (R, outputs) = x W^T of all linears of the stage, and the adapters' low (R, r) beside it
  void product(const Stage& stage, const Layout& layout, const Slab& slab, const T* x, i64 width, Parts& parts) {
    float* y = wide_ + home(layout) * wide_row_;
    if (layout.alone) {
      thin_ones(stage, layout, slab, x, width);
      for (i64 i = 0; i < stage.count; ++i)
        columns(stage.linears[i], 0, stage.linears[i].outputs, x, slab.count, y + offset(stage, i), wide_row_);
      return;
    }
    const i64 thin_ones = b_.max_rank ? static_cast<i64>(slab.groups.size()) * stage.count : 0;
    i64 chunks[4] = {};
    for (i64 i = 0; i < stage.count; ++i) chunks[i + 1] = chunks[i] + chunks_of(stage.linears[i], slab.count);
    const i64 wide_ones = chunks[stage.count];
    parts.run(wide_ones, thin_ones, [&](i64 i) {
      if (i >= wide_ones) {
        const i64 index = (i - wide_ones) % stage.count;
        const Group& group = slab.groups[(i - wide_ones) / stage.count];
        return thin(group, group.first - slab.first, 0, stage.linears[index], index, x, width);
      }
      i64 index = 0;
      while (i >= chunks[index + 1]) ++index;
      chunk(stage.linears[index], i - chunks[index], x, slab.count, y + offset(stage, index), wide_row_);
    });
  }

  static i64 offset(const Stage& stage, i64 index) {
    i64 sum = 0;
    for (i64 i = 0; i < index; ++i) sum += stage.linears[i].outputs;
    return sum;
  }

  static i64 chunks_of(const Linear& linear, i64 rows) {
    return (linear.outputs + columns_of_a_task(rows) - 1) / columns_of_a_task(rows);
  }

  // y (rows, of n0 to n1) = x W^T
  void columns(const Linear& linear, i64 n0, i64 n1, const T* x, i64 rows, float* y, i64 y_row) const {
    const Room<T> room{whole_ + omp_get_thread_num() * kColumns * widest_, widest_, m_.levels, m_.dynamic};
    multiply_columns(linear, n0, n1, x, rows, y - n0, y_row, room);
  }

  void chunk(const Linear& linear, i64 number, const T* x, i64 rows, float* y, i64 y_row) const {
    const i64 step = columns_of_a_task(rows), n = number * step, end = std::min(n + step, linear.outputs);
    columns(linear, n, end, x, rows, y + n, y_row);
  }

  void head(Parts& parts) {
    parts.run(chunks_of(m_.head, b_.num_logits), 0,
              [&](i64 i) { chunk(m_.head, i, normed_, b_.num_logits, b_.logits, b_.logits_row); });
  }

  // The highest logits alone: those of a task's columns are looked at while they are in a first cache.
  void highest(Parts& parts) {
    const i64 rows = b_.num_logits, step = columns_of_a_task(rows), me = omp_get_thread_num();
    float *some = some_ + me * rows * step, *most = highest_ + me * rows;
    i64* which = likeliest_ + me * rows;
    parts.run(chunks_of(m_.head, rows), 0, [&](i64 i) {
      const i64 n = i * step, count = std::min(step, m_.head.outputs - n);
      columns(m_.head, n, n + count, normed_, rows, some, step);
      for (i64 r = 0; r < rows; ++r) keep_highest(some + r * step, count, n, most[r], which[r]);
    });
    parts.run(rows, 0, [&](i64 r) {
      b_.highest[r] = highest_[r];
      b_.likeliest[r] = likeliest_[r];
      for (i64 t = 1; t < threads_; ++t) {
        const float other = highest_[t * rows + r];
        const i64 at = likeliest_[t * rows + r];
        if (!is_higher(other, at, b_.highest[r], b_.likeliest[r])) continue;
        b_.highest[r] = other;
        b_.likeliest[r] = at;
      }
    });
  }

  // NaN is above all; of equals the first is meant.
  static bool is_higher(float x, i64 at, float most, i64 which) {
    if (std::isnan(most) || std::isnan(x)) return std::isnan(x) && (!std::isnan(most) || at < which);
    return x > most || (x == most && at < which);
  }

  static void keep_highest(const float* x, i64 count, i64 first, float& most, i64& which) {
    if (all_below(x, count, most)) return;
    for (i64 j = 0; j < count; ++j)
      if (is_higher(x[j], first + j, most, which)) {
        most = x[j];
        which = first + j;
      }
  }

  float* low(i64 row, i64 index) const { return low_ + (row * 3 + index) * b_.max_rank; }

  void thin_ones(const Stage& stage, const Layout& layout, const Slab& slab, const T* x, i64 width) {
    for (const Group& group : slab.groups)
      for (i64 i = 0; i < stage.count; ++i)
        thin(group, group.first - slab.first, home(layout), stage.linears[i], i, x, width);
  }

  // low (rows of the group, r) = x A^T, rounded; `local`: the group's place in its slab, which is at `home`
  void thin(const Group& group, i64 local, i64 home, const Linear& linear, i64 index, const T* x, i64 width) {
    if (!group.adapter) return;
    const Delta& delta = group.adapter->deltas[linear.place];
    if (!delta.a) return;
    for (i64 j = 0; j < delta.rank; j += kColumns) {
      const PlainRows<T, true> a{static_cast<const T*>(delta.a) + j * width, width};
      multiply_few(a, std::min(kColumns, delta.rank - j), width, x + local * width, width, group.count,
                   low(home + local, index) + j, 3 * b_.max_rank);
    }
    for (i64 r = home + local; r < home + local + group.count; ++r)
      for (i64 j = 0; j < delta.rank; ++j) low(r, index)[j] = value(rounded<T>(low(r, index)[j]));
  }

  // what the adapter and the bias make of a linear's outputs: y (rows, N) from `wide`
  void settle(const Linear& linear, i64 index, const Rows& rows, i64 local, float* y) const {
    const Delta* delta = rows.adapter ? rows.adapter->deltas + linear.place : nullptr;
    if (delta && delta->a) add_delta(*delta, linear.outputs, low(local, index), rows.count, y);
    for (i64 r = 0; r < rows.count; ++r) {
      float* row = y + r * wide_row_;
      if (delta && delta->ratio) multiply(row, delta->ratio, linear.outputs);
      if (linear.bias) add(row, linear.bias, linear.outputs);
      if (delta && delta->outputs) multiply(row, delta->outputs, linear.outputs);
    }
  }

  void add_delta(const Delta& delta, i64 outputs, const float* lows, i64 rows, float* y) const {
    const T* b = static_cast<const T*>(delta.b);
    for (i64 n = 0; n < outputs; n += 64, y += 64) {
      const i64 width = std::min<i64>(64, outputs - n);
      Lanes sum[kRowsTogether][4];
      for (i64 r = 0; r < rows; ++r)
        for (i64 i = 0; i < 4; ++i) sum[r][i] = load_some(y + r * wide_row_ + 16 * i, std::max<i64>(0, width - 16 * i));
      for (i64 j = 0; j < delta.rank; ++j, b += 64) {
        const Lanes lanes[4] = {load(b), load(b + 16), load(b + 32), load(b + 48)};
        for (i64 r = 0; r < rows; ++r) {
          const float by = lows[r * 3 * b_.max_rank + j];
          for (i64 i = 0; i < 4; ++i) sum[r][i] = lanes[i] * by + sum[r][i];
        }
      }
      for (i64 r = 0; r < rows; ++r)
        for (i64 i = 0; i < 4 && 16 * i < width; ++i)
          store_some(y + r * wide_row_ + 16 * i, sum[r][i], width - 16 * i);
    }
  }

  // queries, keys and values: norms, rotation, and keys and values into the cache
  void turn(const Layer& layer, i64 number, const Rows& rows, i64 local) {
    const i64 queries = m_.queries(), keys = m_.keys(), dim = m_.head_dim;
    float* y = wide_ + local * wide_row_;
    for (i64 i = 0; i < layer.qkv.count; ++i)
      settle(layer.qkv.linears[i], i, rows, local, y + offset(layer.qkv, i));
    for (i64 r = rows.first; r < rows.first + rows.count; ++r, y += wide_row_) {
      const i64 at = position(r);
      for (i64 h = 0; h < m_.heads; ++h)
        turn_head(layer, layer.query_norm, at, y + h * dim, queries_ + r * queries + h * dim);
      const Adapter* adapter = rows.adapter;
      const bool given = adapter && adapter->states && at < adapter->num_virtual;
      const float* states = given ? adapter->states + (at * m_.num_layers + number) * 2 * keys : nullptr;
      for (i64 h = 0; h < m_.kv_heads; ++h) {
        const i64 block = blocks_of(*piece_of_[r])[at / kBlockTokens];
        const i64 to = block * m_.block_stride + h * kBlockTokens * dim, token = at % kBlockTokens;
        T *key = keys_ + omp_get_thread_num() * up(dim, 64), *val = static_cast<T*>(layer.values) + to + token * dim;
        const float* v = states ? states + keys + h * dim : y + queries + keys + h * dim;
        rounded_row(v, dim, val);
        if (states)
          rounded_row(states + h * dim, dim, key);
        else
          turn_head(layer, layer.key_norm, at, y + queries + h * dim, key);
        constexpr i64 kNumbers = Score<T>::kNumbers;
        for (i64 j = 0; j < dim; j += kNumbers)
          std::memcpy(static_cast<T*>(layer.keys) + to + key_place<T>(token, j), key + j, kNumbers * sizeof(T));
      }
    }
  }

  void turn_head(const Layer& layer, const float* norm, i64 at, float* x, T* y) const {
    if (norm) normed(x, norm, m_.head_dim, m_.eps, x);
    rotated(x, layer.cos + at * m_.rotary, layer.sin + at * m_.rotary, m_.rotary, m_.head_dim, y);
  }

  // attention of a unit's query heads
  void look(const Layer& layer, const Unit& unit) {
    const i64 dim = m_.head_dim, queries = m_.queries(), grouped = m_.heads / m_.kv_heads;
    const Cached<T> cached{static_cast<const T*>(layer.keys), static_cast<const T*>(layer.values),
                           blocks_of(*unit.piece), m_.block_stride, unit.head * kBlockTokens * dim, dim};
    float* sums = attention_ + omp_get_thread_num() * attention_row_;
    float *scores = sums + kQueriesOfUnit * up(dim, 16), *most = scores + kQueriesTogether * kTile;
    const AttentionRoom room{sums, most, most + kQueriesOfUnit, scores};
    Query<T> some[kQueriesOfUnit];
    for (i64 from = 0, count = unit.count * grouped; from < count; from += kQueriesOfUnit) {
      const i64 end = std::min(from + kQueriesOfUnit, count);
      for (i64 i = from; i < end; ++i) {
        const i64 token = unit.first + i / grouped, at = unit.piece->start + token;
        const i64 place = (unit.piece->first + token) * queries + (unit.head * grouped + i % grouped) * dim;
        const i64 first = layer.window ? std::max<i64>(0, at - layer.window + 1) : 0;
        some[i - from] = {queries_ + place, attended_ + place, {first, at}};
      }
      attend(some, end - from, cached, m_.attention_scale, m_.softcap, room);
    }
  }

  // residual += norm(y), and the next part's input
  void join(const Stage& stage, const float* after, const float* before, const Rows& rows, i64 local) {
    float* y = wide_ + local * wide_row_;
    settle(stage.linears[0], 0, rows, local, y);
    for (i64 r = rows.first; r < rows.first + rows.count; ++r, y += wide_row_) {
      float* x = residual_ + r * m_.hidden;
      if (after) normed(y, after, m_.hidden, m_.eps, y);
      add(x, y, m_.hidden);
      if (before) normed(x, before, m_.hidden, m_.eps, normed_ + r * m_.hidden);
    }
  }

  void gate(const Layer& layer, const Rows& rows, i64 local) {
    const i64 width = m_.intermediate;
    float* y = wide_ + local * wide_row_;
    for (i64 i = 0; i < layer.gate_up.count; ++i) settle(layer.gate_up.linears[i], i, rows, local, y + i * width);
    const Delta* delta = rows.adapter ? rows.adapter->deltas + layer.down.linears[0].place : nullptr;
    for (i64 r = 0; r < rows.count; ++r, y += wide_row_) {
      T* h = gated_ + (local + r) * width;
      m_.gelu ? gated<GeluTanh>(y, y + width, h, width) : gated<Silu>(y, y + width, h, width);
      if (delta && delta->inputs)
        for (i64 j = 0; j < width; ++j) h[j] = rounded<T>(value(h[j]) * delta->inputs[j]);
    }
  }

  const Model& m_;
  const Batch& b_;
  i64 threads_, wide_row_, widest_, attention_row_;
  Layout all_, last_;  // rows of all layers but the end of the last one, where some are kept
  std::vector<Unit> units_, last_units_;
  std::vector<i64> wanted_, kept_;
  bool keeps_some_ = false;
  std::vector<const Piece*> piece_of_;
  Line* lines_;
  float *residual_, *wide_, *low_, *attention_, *some_ = nullptr, *highest_ = nullptr;
  i64* likeliest_ = nullptr;
  T *normed_, *queries_, *attended_, *gated_, *whole_, *keys_;
};

template <class T> void step(const Model* model, const Batch* batch) {
  static thread_local Arena arena;
  Step<T>(*model, *batch, arena).run();
}

}  // namespace

extern "C" {

void fw_step_f32(const void* model, const void* batch) {
  step<float>(static_cast<const Model*>(model), static_cast<const Batch*>(batch));
}

void fw_step_bf16(const void* model, const void* batch) {
  step<bf16>(static_cast<const Model*>(model), static_cast<const Batch*>(batch));
}
}
