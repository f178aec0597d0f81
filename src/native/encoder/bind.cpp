#include "bind.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>

#include "../ndarrays.h"
#include "forward.h"
#include "kept.h"

namespace fewbits::encoder {
namespace {

namespace nb = nanobind;

using Bytes = In<uint8_t, 1>;
using Vector = In<float, 1>;

constexpr size_t most_rows = 0x7fffffff;  // row numbers are 32 bits wide
constexpr size_t most_inputs = 65536;  // gemm_u8.h's proof of the accumulator

size_t element_size(Element element) {
  switch (element) {
    case Element::f32: return 4;
    case Element::f16:
    case Element::bf16: return 2;
    case Element::i8: return 1;
  }
  return 1;
}

Element element_of(int code) {
  require(code >= 0 && code <= 3, "element must be 0 to 3");
  return static_cast<Element>(code);
}

size_t panel_bytes(Element element, size_t n, size_t k) {
  const size_t inputs = element == Element::i8 ? 4 * quads(k) : k;
  return panels(n) * panel * inputs * element_size(element);
}

// A model and the arrays that Python does not hold for it. Values and tables stay Python's own
// memory (they may be mapped from a file): the Python object keeps them alive.
class PyModel {
 public:
  PyModel(size_t hidden, size_t heads, size_t inner, size_t layers, int activation,
          int32_t position_offset, const std::vector<int>& pooling) {
    require(hidden >= 1 && hidden <= most_inputs, "hidden must be 1 to 65,536");
    require(inner >= 1 && inner <= most_inputs, "inner must be 1 to 65,536");
    require(heads >= 1 && hidden % heads == 0, "hidden must be a multiple of heads");
    require(activation >= 0 && activation <= 4, "activation must be 0 to 4");
    require(position_offset >= 0, "position_offset must be at least 0");
    model_.hidden = hidden;
    model_.heads = heads;
    model_.inner = inner;
    model_.activation = static_cast<Activation>(activation);
    model_.position_offset = position_offset;
    model_.layers.resize(layers);
    for (const int mode : pooling) {
      require(mode >= 0 && mode <= 5, "pooling modes must be 0 to 5");
      model_.pooling.push_back(static_cast<Pool>(mode));
    }
  }

  void set_table(int slot, const Bytes& values, int element, const Vector& scale, size_t rows) {
    require(slot >= 0 && slot <= 2, "slot must be 0 to 2");
    require(rows <= most_rows, "tables have at most 2^31 - 1 rows");
    Table table{values.data(), element_of(element), nullptr, rows, model_.hidden};
    require(values.shape(0) == rows * model_.hidden * element_size(table.element),
            "values must be (rows, hidden)");
    if (table.element == Element::i8) {
      require(scale.shape(0) == rows, "scale must have a value per row");
      table.scale = scale.data();
    }
    Table* const slots[] = {&model_.word, &model_.position, &model_.token_type};
    *slots[slot] = table;
  }

  // layer -1: the embeddings' norm; slot 0 the attention's, 1 the feed-forward's.
  void set_norm(int layer, int slot, const Vector& weight, const Vector& bias, float eps) {
    require(weight.shape(0) == model_.hidden && bias.shape(0) == model_.hidden,
            "weight and bias must have `hidden` values");
    require(layer >= -1 && slot >= 0 && slot <= 1, "layer from -1 on, slot 0 or 1");
    const Norm norm{keep(weight, model_.hidden), keep(bias, model_.hidden), eps};
    if (layer < 0) {
      model_.embedding_norm = norm;
      return;
    }
    Layer& at = layer_at(layer);
    (slot == 0 ? at.attention_norm : at.ffn_norm) = norm;
  }

  // (heads, 2 * length - 1) by distance.
  void set_bias(const In<float, 2>& bias) {
    require(bias.shape(0) == model_.heads && bias.shape(1) % 2 == 1,
            "bias must be (heads, 2 * length - 1)");
    model_.bias = bias.data();
    model_.bias_length = (bias.shape(1) + 1) / 2;
  }

  void set_linear(int layer, int slot, const Bytes& values, int element, size_t n, size_t k,
                  const Vector& scale, const Vector& bias, int take, bool symmetric,
                  const Vector& inverse, float fixed_scale, int32_t fixed_zero) {
    const Element stored = element_of(element);
    require(slot >= 0 && slot <= 3 && take >= 0 && take <= 2, "slot 0 to 3, take 0 to 2");
    check_shape(slot, n, k);
    require(values.shape(0) == panel_bytes(stored, n, k), "values do not hold (n, k) panels");
    require(bias.shape(0) == n || bias.shape(0) == 0, "bias must have n values, or none");
    require(scale.shape(0) == (stored == Element::i8 ? n : 0),
            "scale must have n values for int8, and none otherwise");
    require(take == 0 || stored == Element::i8, "codes need int8 weights");
    Linear linear;
    linear.take = static_cast<Take>(take);
    linear.symmetric = symmetric;
    linear.number = 4 * static_cast<size_t>(layer) + static_cast<size_t>(slot);
    const float* scales = stored == Element::i8 ? keep(scale, n) : nullptr;
    if (linear.take == Take::floats) {
      const void* aligned = kept_.aligned(values.data(), values.shape(0));
      linear.values = {aligned, stored, scales, keep(bias, n), n, k};
    } else {
      const auto* codes = static_cast<const int8_t*>(kept_.aligned(values.data(), values.shape(0)));
      linear.codes = {codes, scales, kept_.sums_of(codes, n, k), keep(bias, n), n, k};
    }
    require(inverse.shape(0) == k || (inverse.shape(0) == 0 && linear.take != Take::fixed),
            "inverse must have k values");
    if (inverse.shape(0) == k) linear.inverse = keep(inverse, k);
    require(fixed_zero >= 0 && fixed_zero <= 255, "zero point must be 0 to 255");
    linear.fixed = {fixed_scale, fixed_zero};
    Linear* const slots[] = {&layer_at(layer).qkv, &layer_at(layer).attention_out,
                             &layer_at(layer).ffn_in, &layer_at(layer).ffn_out};
    *slots[slot] = linear;
  }

  // (rows, counts): one row per sequence, and (linears, 5): count, low, high, least, most.
  nb::tuple run(In<int32_t, 1> ids, In<int64_t, 1> lengths, size_t skip, size_t threads) {
    check_complete();
    check_batch(ids, lengths);
    const size_t n = lengths.shape(0), width = model_.width();
    nb::capsule owner, end_owner;
    float* out = fresh<float>(n * width, owner);
    int64_t* counts = fresh<int64_t>(model_.linears() * 5, end_owner);
    std::vector<Ends> ends(model_.linears());
    {
      nb::gil_scoped_release release;
      const Batch batch{ids.data(), lengths.data(), n, skip};
      forward(kernels_of(active_level()), model_, batch, threads, spare_, crowd_, out,
              ends.data());
    }
    for (size_t i = 0; i < ends.size(); ++i) {
      const int64_t row[] = {static_cast<int64_t>(ends[i].count), static_cast<int64_t>(ends[i].low),
                             static_cast<int64_t>(ends[i].high), ends[i].least, ends[i].most};
      std::copy_n(row, 5, counts + 5 * i);
    }
    return nb::make_tuple(Out<float, 2>(out, {n, width}, owner),
                          Out<int64_t, 2>(counts, {model_.linears(), 5}, end_owner));
  }

 private:
  Layer& layer_at(int layer) {
    require(layer >= 0 && static_cast<size_t>(layer) < model_.layers.size(), "no such layer");
    return model_.layers[static_cast<size_t>(layer)];
  }

  void check_shape(int slot, size_t n, size_t k) const {
    const size_t hidden = model_.hidden, inner = model_.inner;
    const size_t outs[] = {3 * hidden, hidden, inner, hidden};
    const size_t ins[] = {hidden, hidden, hidden, inner};
    require(n == outs[slot] && k == ins[slot], "the linear's shape does not fit its place");
  }

  static bool complete(const Linear& linear) {
    return linear.codes.codes != nullptr || linear.values.values != nullptr;
  }

  void check_complete() const {
    bool all = model_.word.values && model_.position.values && model_.embedding_norm.weight;
    for (const Layer& layer : model_.layers) {
      all = all && complete(layer.qkv) && complete(layer.attention_out);
      all = all && complete(layer.ffn_in) && complete(layer.ffn_out);
      all = all && layer.attention_norm.weight && layer.ffn_norm.weight;
    }
    require(all, "the model lacks tables, norms or linears");
  }

  void check_batch(const In<int32_t, 1>& ids, const In<int64_t, 1>& lengths) const {
    const auto capacity =
        static_cast<int64_t>(model_.position.rows) - model_.position_offset;
    int64_t tokens = 0;
    for (size_t s = 0; s < lengths.shape(0); ++s) {
      const int64_t length = lengths.data()[s];
      require(length >= 0 && length <= capacity, "a length exceeds the position table");
      require(model_.bias == nullptr || length <= static_cast<int64_t>(model_.bias_length),
              "a length exceeds the relative bias");
      tokens += length;
    }
    require(tokens == static_cast<int64_t>(ids.shape(0)), "lengths must add up to the ids");
    const auto rows = static_cast<int64_t>(model_.word.rows);
    for (size_t t = 0; t < ids.shape(0); ++t) {
      require(ids.data()[t] >= 0 && ids.data()[t] < rows, "an id exceeds the vocabulary");
    }
  }

  // A copy, zeros up to whole panels.
  const float* keep(const Vector& values, size_t n) {
    return kept_.keep(values.data(), values.shape(0), n);
  }

  Model model_;
  Workspaces spare_;
  Crowd crowd_;
  Kept kept_;
};

}  // namespace

void bind_encoder(nb::module_& m) {
  nb::class_<PyModel>(m, "EncoderModel")
      .def(nb::init<size_t, size_t, size_t, size_t, int, int32_t, const std::vector<int>&>(),
           nb::kw_only(), nb::arg("hidden"), nb::arg("heads"), nb::arg("inner"), nb::arg("layers"),
           nb::arg("activation"), nb::arg("position_offset"), nb::arg("pooling"))
      .def("set_table", &PyModel::set_table, nb::arg("slot"), nb::arg("values").noconvert(),
           nb::arg("element"), nb::arg("scale").noconvert(), nb::arg("rows"))
      .def("set_norm", &PyModel::set_norm, nb::arg("layer"), nb::arg("slot"),
           nb::arg("weight").noconvert(), nb::arg("bias").noconvert(), nb::arg("eps"))
      .def("set_bias", &PyModel::set_bias, nb::arg("bias").noconvert())
      .def("set_linear", &PyModel::set_linear, nb::arg("layer"), nb::arg("slot"),
           nb::arg("values").noconvert(), nb::arg("element"), nb::arg("n"), nb::arg("k"),
           nb::arg("scale").noconvert(), nb::arg("bias").noconvert(), nb::arg("take"),
           nb::arg("symmetric"), nb::arg("inverse").noconvert(), nb::arg("fixed_scale"),
           nb::arg("fixed_zero"))
      .def("run", &PyModel::run, nb::arg("ids").noconvert(), nb::arg("lengths").noconvert(),
           nb::arg("skip"), nb::arg("threads"));
}

}  // namespace fewbits::encoder
