// The bits of the results, written down: the same on every machine, x86 or Arm, for every instruction set with FMA, and
// another set of bits for those without. What changes them is a decision: say so in CHANGELOG.md, and write them anew
// with
//     NORMA_GOLDEN=write build/library/bin/golden_bits_test
#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "norma/norma.h"

namespace norma {
namespace {

constexpr const char* kFile = NORMA_SOURCE_DIR "/tests/library/golden_bits.txt";

// Numbers of about normal distribution around `mean`, without the mathematical library, which differs by machine.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed) {}
  template <class T>
  std::vector<T> draw(std::int64_t count, double mean, double sigma) {
    std::vector<T> values(static_cast<std::size_t>(count));
    for (T& value : values) {
      double sum = -6;
      for (int i = 0; i < 12; ++i) sum += uniform();
      value = static_cast<T>(mean + sigma * sum);
    }
    return values;
  }

 private:
  double uniform() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state_ >> 40) * 0x1p-24;
  }
  std::uint64_t state_;
};

// FNV-1a over the bytes.
class Hash {
 public:
  template <class T>
  void add(const std::vector<T>& values) {
    for (const T value : values) {
      const auto bytes = std::bit_cast<std::array<unsigned char, sizeof(T)>>(value);
      for (const unsigned char byte : bytes) state_ = (state_ ^ byte) * 1099511628211U;
    }
  }
  std::string text() const {
    std::ostringstream out;
    out << std::hex << state_;
    return out.str();
  }

 private:
  std::uint64_t state_ = 14695981039346656037U;
};

struct Setting {
  Descriptor descriptor;
  Shape shape;
  Layout layout = Layout::kChannelsFirst;
  double mean = 0.3;
};

std::vector<Setting> settings() {
  constexpr Layout kLast = Layout::kChannelsLast;
  return {{layer_norm(), {37, 515}},
          {layer_norm(), {5, 4099}, Layout::kChannelsFirst, 1000},
          {layer_norm(2), {9, 7, 33}},
          {rms_norm(), {70, 127}},
          {batch_norm(), {700, 45}},
          {batch_norm(), {6, 13, 9, 11}},
          {batch_norm(), {6, 13, 9, 11}, kLast, -300},
          {group_norm(4), {6, 24, 7, 9}},
          {group_norm(4), {6, 24, 7, 9}, kLast},
          {group_norm(4), {19, 24, 3, 5}},
          {instance_norm(), {6, 13, 9, 11}},
          {instance_norm(), {6, 13, 9, 11}, kLast},
          {{.name = "channels", .statistics = Axes::of({1}), .affine = Axes::of({1})}, {6, 40, 5, 7}},
          {{.name = "by_hand", .statistics = Axes::of({0, 2}), .affine = Axes::of({1, 3})}, {6, 13, 9, 11}}};
}

// All results of all operations on one problem.
template <class T>
std::string hash_of(const Setting& s) {
  Numbers numbers(7);
  const std::int64_t elements = s.shape.elements();
  const Shape affine = affine_shape(s.descriptor, s.shape);
  const Shape statistic = statistics_shape(s.descriptor, s.shape);
  const auto x = numbers.draw<T>(elements, s.mean, 1);
  const auto dy = numbers.draw<T>(elements, 0, 1);
  const auto gamma = numbers.draw<T>(affine.elements(), 1, 0.5);
  const auto beta = numbers.draw<T>(affine.elements(), 0, 1);
  std::vector<T> y(x.size()), dx(x.size()), z(x.size()), dz(x.size());
  std::vector<T> dgamma(gamma.size()), dbeta(gamma.size());
  std::vector<double> mean(static_cast<std::size_t>(statistic.elements())), rstd(mean), m2(mean), centre(mean);
  const auto like_x = [&](auto& values) { return TensorView(values.data(), s.shape, s.layout); };
  const auto given = [&](const auto& values) { return ConstTensorView(values.data(), s.shape, s.layout); };
  const ConstTensorView g(gamma.data(), affine);
  const ConstTensorView b(beta.data(), affine);
  forward(s.descriptor, given(x), g, b, like_x(y), {mean.data(), statistic}, {rstd.data(), statistic});
  backward(s.descriptor, given(dy), given(x), g, {std::as_const(mean).data(), statistic},
           {std::as_const(rstd).data(), statistic}, like_x(dx), {dgamma.data(), affine}, {dbeta.data(), affine});
  statistics(s.descriptor, given(x), {centre.data(), statistic}, {m2.data(), statistic});
  inference(s.descriptor, given(x), g, b, {std::as_const(mean).data(), statistic},
            {std::as_const(m2).data(), statistic}, like_x(z));
  inference_backward(s.descriptor, given(dy), given(x), g, {std::as_const(mean).data(), statistic},
                     {std::as_const(m2).data(), statistic}, like_x(dz), {}, {});
  Hash hash;
  for (const std::vector<T>* values : {&y, &dx, &z, &dz, &dgamma, &dbeta}) hash.add(*values);
  for (const std::vector<double>* values : {&mean, &rstd, &centre, &m2}) hash.add(*values);
  return hash.text();
}

std::string name_of_setting(const Setting& s, DType dtype) {
  std::string name = std::string(s.descriptor.name) + (s.layout == Layout::kChannelsLast ? ":last" : ":first");
  for (const std::int64_t size : s.shape.sizes()) name += ":" + std::to_string(size);
  return name + ":" + name_of(dtype);
}

bool has_fma(const std::string& isa) {
  return isa == "avx512" || isa == "avx2" || isa == "neon";
}

using Golden = std::map<std::string, std::string>;

// "fma batch_norm:first:700:45:f32" -> hash.
Golden compute(const std::string& isa) {
  force_isa(isa);
  const std::string group = has_fma(isa) ? "fma " : "plain ";
  Golden golden;
  for (const Setting& s : settings()) {
    golden[group + name_of_setting(s, DType::kFloat32)] = hash_of<float>(s);
    golden[group + name_of_setting(s, DType::kFloat64)] = hash_of<double>(s);
    golden[group + name_of_setting(s, DType::kBFloat16)] = hash_of<bfloat16>(s);
    golden[group + name_of_setting(s, DType::kFloat16)] = hash_of<float16>(s);
  }
  force_isa("");
  return golden;
}

Golden read_golden() {
  Golden golden;
  std::ifstream file(kFile);
  std::string group, name, hash;
  while (file >> group >> name >> hash) golden[group + " " + name] = hash;
  return golden;
}

TEST(GoldenBits, AreThoseWrittenDownOnEveryInstructionSet) {
  if (const char* mode = std::getenv("NORMA_GOLDEN"); mode != nullptr && std::string(mode) == "write") {
    Golden all;
    for (const std::string& isa : available_isas()) all.merge(compute(isa));
    std::ofstream file(kFile);
    for (const auto& [name, hash] : all) file << name << " " << hash << "\n";
    GTEST_SKIP() << all.size() << " hashes written to " << kFile;
  }
  const Golden golden = read_golden();
  ASSERT_EQ(golden.size(), 8 * settings().size())
      << "expected hashes with FMA and without, of every type, in " << kFile;
  for (const std::string& isa : available_isas()) {
    for (const auto& [name, hash] : compute(isa)) {
      const auto found = golden.find(name);
      ASSERT_NE(found, golden.end()) << name;
      EXPECT_EQ(found->second, hash) << name << " on " << isa;
    }
  }
}

}  // namespace
}  // namespace norma
