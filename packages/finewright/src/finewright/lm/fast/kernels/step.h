// What a decode step reads: a model of weights that lie where they are, a batch of rows, and adapters. The same
// structures are in structures.py, field by field; all are made of words of 8 bytes, or of two floats.

#pragma once

#include "numbers.h"

namespace {

struct Linear {  // y (R, outputs) = x (R, inputs) W^T + b
  i64 form;      // how W is kept: 0 numbers, 1 int8, 2 NF4 (see quantized.h)
  i64 outputs, inputs;
  const void* weight;
  i64 row;            // numbers from row to row
  const float* bias;  // or null
  const void* scales;  // of the quantised
  const float* scale_scales;
  i64 place;  // number of this linear in an adapter
  float mean, unused;
};

struct Stage {  // linears of one input, whose outputs lie side by side
  i64 count;
  Linear linears[3];
};

struct Layer {
  Stage qkv, out, gate_up, down;
  const float *before_attention, *after_attention, *before_mlp, *after_mlp, *query_norm, *key_norm;  // or null
  const float *cos, *sin;  // (positions, rotary)
  void *keys, *values;     // (blocks, kv_heads, 16, head_dim), blocks `block_stride` numbers apart
  i64 window;              // 0 for none
};

struct Model {
  i64 num_layers;
  const Layer* layers;
  i64 hidden, intermediate, heads, kv_heads, head_dim, rotary, gelu;
  const void* embedding;  // (V, hidden)
  i64 embedding_row;
  const float* final_norm;
  Linear head;
  const float *levels, *dynamic;  // NF4's tables
  i64 block_stride;
  float embedding_scale, eps, attention_scale, softcap;  // 0 for no cap

  i64 queries() const { return heads * head_dim; }
  i64 keys() const { return kv_heads * head_dim; }
};

// What an adapter makes of a linear: y = (x W^T + low B + 0) * ratio + b, * factors;  low = (x * inputs) A^T
struct Delta {
  const void* a;          // (r, inputs), or null
  const void* b;          // (outputs / 64, r, 64), scaled, zeros beyond the outputs; numbers of the model's format
  i64 rank;
  const float* ratio;     // (outputs,) of DoRA, or null
  const float* outputs;   // (outputs,) of (IA)3, or null
  const float* inputs;    // (inputs,) of (IA)3, or null
};

struct Adapter {
  const Delta* deltas;      // by a linear's place
  i64 num_virtual;          // the first tokens of its sequences are placeholders
  const float* embeddings;  // (n, hidden), or null
  const float* states;      // (n, layers, 2, kv_heads, head_dim), or null
};

struct Group {  // rows of one adapter, or of none (null)
  const Adapter* adapter;
  i64 first, count;
};

struct Piece {  // new tokens of one sequence
  i64 first, count, start;
  i64 first_block;  // of the batch's
};

struct Batch {
  i64 rows;
  const i64* tokens;  // (rows,)
  i64 num_pieces, num_groups, num_logits, max_rank;
  const Piece* pieces;
  const i64* blocks;  // of the cache, piece by piece
  const Group* groups;
  const i64* logit_rows;
  float* logits;  // (num_logits, V), or null where only their highest are wanted
  i64 logits_row;
  float* highest;  // (num_logits,), NaN where one of a row's is
  i64* likeliest;  // (num_logits,) the first that has it
};

}  // namespace
