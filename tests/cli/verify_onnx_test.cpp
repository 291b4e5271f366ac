// norma verify --onnx: Debian's node tests where they are installed; every operator and version by models written here;
// and files that lie.
#include <gmock/gmock.h>
#include <onnx/onnx_pb.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "errors.h"
#include "norma/machine.h"
#include "run_command.h"
#include "verify_onnx.h"

namespace norma::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const fs::path kDebian = "/usr/share/libonnx-testdata/data";

// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "norma-onnx-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void write(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

struct Array {
  std::vector<std::int64_t> sizes;
  std::vector<float> values;
};

onnx::TensorProto proto(const Array& array, const std::string& name = "") {
  onnx::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t size : array.sizes) tensor.add_dims(size);
  std::string raw(array.values.size() * 4, '\0');
  std::memcpy(raw.data(), array.values.data(), raw.size());
  tensor.set_raw_data(raw);
  return tensor;
}

// A model of one node with inputs a, b, c, ... and outputs A, B, C, ...
onnx::ModelProto model_of(const std::string& op, std::int64_t opset, int inputs, int outputs) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(opset);
  onnx::NodeProto* node = model.mutable_graph()->add_node();
  node->set_op_type(op);
  for (int i = 0; i < inputs; ++i) {
    node->add_input(std::string(1, static_cast<char>('a' + i)));
    model.mutable_graph()->add_input()->set_name(node->input(i));
  }
  for (int i = 0; i < outputs; ++i) {
    node->add_output(std::string(1, static_cast<char>('A' + i)));
    model.mutable_graph()->add_output()->set_name(node->output(i));
  }
  return model;
}

void set(onnx::ModelProto& model, const std::string& name, std::int64_t value) {
  onnx::AttributeProto* a = model.mutable_graph()->mutable_node(0)->add_attribute();
  a->set_name(name);
  a->set_type(onnx::AttributeProto::INT);
  a->set_i(value);
}
void set(onnx::ModelProto& model, const std::string& name, float value) {
  onnx::AttributeProto* a = model.mutable_graph()->mutable_node(0)->add_attribute();
  a->set_name(name);
  a->set_type(onnx::AttributeProto::FLOAT);
  a->set_f(value);
}

void write_test(const fs::path& folder, const onnx::ModelProto& model, const std::vector<Array>& inputs,
                const std::vector<Array>& outputs) {
  write(folder / "model.onnx", model.SerializeAsString());
  const fs::path data = folder / "test_data_set_0";
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    write(data / ("input_" + std::to_string(i) + ".pb"), proto(inputs[i]).SerializeAsString());
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    write(data / ("output_" + std::to_string(i) + ".pb"), proto(outputs[i]).SerializeAsString());
  }
}

Outcome verify(const fs::path& folder) {
  return run({NORMA_COMMAND, "verify", "--onnx", folder.string()});
}

TEST(VerifyOnnx, PassesEveryNormalizationOfDebiansTestData) {
  if (!fs::exists(kDebian)) GTEST_SKIP() << "libonnx-testdata is not installed";
  const Outcome outcome = run({NORMA_COMMAND, "verify", "--onnx", kDebian.string(), "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  const nlohmann::json found = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(found.at("failed"), 0);
  EXPECT_EQ(found.at("skipped"), 0) << outcome.out;
  std::map<std::string, int> passed;
  for (const nlohmann::json& row : found.at("tests")) {
    const std::string nodes = row.at("nodes");
    if (row.at("verdict") == "pass") ++passed[nodes.substr(0, nodes.find(' '))];
  }
  EXPECT_EQ(passed["LayerNormalization"], 19);
  EXPECT_EQ(passed["BatchNormalization"], 9);  // five of them converted models
  EXPECT_EQ(passed["InstanceNormalization"], 3);
  EXPECT_EQ(passed["MeanVarianceNormalization"], 1);
  EXPECT_GT(found.at("others"), 900);
}

TEST(VerifyOnnx, PrintsALineForEachTest) {
  const Folder folder;
  const onnx::ModelProto model = model_of("LpNormalization", 1, 1, 1);
  write_test(folder.path() / "deep/down/test_lp", model, {{{1, 2}, {3, 4}}}, {{{1, 2}, {0.6F, 0.8F}}});
  write_test(folder.path() / "test_relu", model_of("Relu", 14, 1, 1), {{{1}, {1}}}, {{{1}, {1}}});
  const Outcome outcome = verify(folder.path());
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("deep/down/test_lp  LpNormalization 1  pass"), HasSubstr("All is well"),
                                 HasSubstr("1 pass, 0 fail, 0 skipped; 1 other models")));
}

TEST(VerifyOnnx, FailsWhereAnOutputIsAnother) {
  const Folder folder;
  write_test(folder.path(), model_of("LpNormalization", 1, 1, 1), {{{1, 2}, {3, 4}}}, {{{1, 2}, {0.6F, 0.81F}}});
  const Outcome outcome = verify(folder.path());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("FAIL  output_0.pb: element 1 is 0.800000, expected 0.810000"), HasSubstr("NOT WELL")));
}

TEST(VerifyOnnx, RefusesAFolderThatIsNoneOrHasNoModels) {
  const Folder folder;
  const Outcome empty = verify(folder.path());
  EXPECT_EQ(empty.code, 2);
  EXPECT_THAT(empty.err, HasSubstr("found no model.onnx"));
  const Outcome missing = verify(folder.path() / "missing");
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.err, HasSubstr("not a folder"));
  EXPECT_THAT(missing.out, IsEmpty());
}

// One model of an operator: a pass means that the library gives these outputs.
void expect_verdict(const onnx::ModelProto& model, const std::vector<Array>& inputs, const std::vector<Array>& outputs,
                    cli::Verdict verdict = cli::Verdict::kPass) {
  const Folder folder;
  write_test(folder.path(), model, inputs, outputs);
  const cli::OnnxVerification found = cli::verify_onnx(folder.path());
  ASSERT_EQ(found.rows.size(), 1);
  EXPECT_EQ(found.rows[0].verdict, verdict) << found.rows[0].nodes << ": " << found.rows[0].reason;
}

// (1, 4, 1, 2): two groups {1, 3, 5, 7} and {0, 0, 4, 4} of means 4 and 2 and variances 5 and 4; with eps 4, rstd 1/3
// and 1/sqrt(8).
const Array kImage{{1, 4, 1, 2}, {1, 3, 5, 7, 0, 0, 4, 4}};

TEST(OnnxOperators, GroupNormalizationScalesGroupsIn18AndChannelsIn21) {
  const auto y = [](const std::vector<float>& scale, const std::vector<float>& bias) {
    Array out{kImage.sizes, {}};
    for (std::size_t i = 0; i < 8; ++i) {
      const float normalized = i < 4 ? (kImage.values[i] - 4) / 3 : (kImage.values[i] - 2) / std::sqrt(8.0F);
      out.values.push_back(normalized * scale[i / 2] + bias[i / 2]);
    }
    return out;
  };
  onnx::ModelProto model = model_of("GroupNormalization", 18, 3, 1);
  set(model, "num_groups", std::int64_t{2});
  set(model, "epsilon", 4.0F);
  expect_verdict(model, {kImage, {{2}, {2, -3}}, {{2}, {1, 5}}}, {y({2, 2, -3, -3}, {1, 1, 5, 5})});
  model.mutable_opset_import(0)->set_version(21);
  expect_verdict(model, {kImage, {{4}, {2, -3, 1, 4}}, {{4}, {1, 5, 2, 0}}}, {y({2, -3, 1, 4}, {1, 5, 2, 0})});
  expect_verdict(model, {kImage, {{2}, {2, -3}}, {{2}, {1, 5}}}, {y({2, 2, -3, -3}, {1, 1, 5, 5})},
                 cli::Verdict::kFail);
}

TEST(OnnxOperators, GroupNormalizationOfNoChannelsIsEmpty) {
  onnx::ModelProto model = model_of("GroupNormalization", 18, 3, 1);
  set(model, "num_groups", std::int64_t{2});
  expect_verdict(model, {{{1, 0, 2}, {}}, {{2}, {1, 1}}, {{2}, {0, 0}}}, {{{1, 0, 2}, {}}});
}

TEST(OnnxOperators, RmsNormalizationSharesFromItsAxisOn) {
  // Rows of mean squares 4 and 25: with eps 0 their roots are 2 and 5. scale is broadcast.
  const Array x{{2, 1, 2}, {2, -2, 1, 7}};
  onnx::ModelProto model = model_of("RMSNormalization", 23, 2, 1);
  set(model, "epsilon", 0.0F);
  expect_verdict(model, {x, {{2}, {3, 1}}}, {{x.sizes, {3, -1, 0.6F, 1.4F}}});
  set(model, "axis", std::int64_t{1});
  expect_verdict(model, {x, {{1, 2}, {3, 1}}}, {{x.sizes, {3, -1, 0.6F, 1.4F}}});
  expect_verdict(model, {x, {{1}, {2}}}, {{x.sizes, {2, -2, 0.4F, 2.8F}}});
}

TEST(OnnxOperators, LayerNormalizationAlsoGivesMeanAndInvStdDev) {
  const Array x{{2, 2}, {1, 3, 10, 4}};
  onnx::ModelProto model = model_of("LayerNormalization", 17, 3, 3);
  set(model, "epsilon", 0.0F);
  const Array y{{2, 2}, {-1, 2, 1, 0}}, mean{{2, 1}, {2, 7}}, rstd{{2, 1}, {1, 1.0F / 3}};
  expect_verdict(model, {x, {{2}, {1, 1}}, {{2}, {0, 1}}}, {y, mean, rstd});
  // Without its last input.
  onnx::ModelProto bare = model_of("LayerNormalization", 17, 2, 1);
  set(bare, "epsilon", 0.0F);
  expect_verdict(bare, {x, {{2}, {1, 1}}}, {{{2, 2}, {-1, 1, 1, -1}}});
}

TEST(OnnxOperators, LpNormalizationDividesByEitherNorm) {
  const Array x{{2, 2}, {3, -4, 0, 0}};
  expect_verdict(model_of("LpNormalization", 22, 1, 1), {x}, {{{2, 2}, {0.6F, -0.8F, 0, 0}}});
  onnx::ModelProto model = model_of("LpNormalization", 22, 1, 1);
  set(model, "p", std::int64_t{1});
  expect_verdict(model, {x}, {{{2, 2}, {3.0F / 7, -4.0F / 7, 0, 0}}});
  set(model, "axis", std::int64_t{0});
  expect_verdict(model, {x}, {{{2, 2}, {1, -1, 0, 0}}});
}

TEST(OnnxOperators, MeanVarianceNormalizationTakesItsAxes) {
  onnx::ModelProto model = model_of("MeanVarianceNormalization", 13, 1, 1);
  onnx::AttributeProto* axes = model.mutable_graph()->mutable_node(0)->add_attribute();
  axes->set_name("axes");
  axes->set_type(onnx::AttributeProto::INTS);
  axes->add_ints(-1);
  expect_verdict(model, {{{2, 2}, {1, 3, 5, 5}}}, {{{2, 2}, {-1, 1, 0, 0}}});
  axes->set_ints(0, (std::int64_t{1} << 32) - 1);
  expect_verdict(model, {{{2, 2}, {1, 3, 5, 5}}}, {{{2, 2}, {-1, 1, 0, 0}}}, cli::Verdict::kFail);
}

// x of features {1, 3} and {2, 10}: means 2 and 6, population variances 1 and 16.
struct BatchCase {
  std::int64_t opset;
  int outputs;
  std::vector<std::pair<std::string, std::int64_t>> attributes;
  bool training;
};

TEST(OnnxOperators, BatchNormalizationTrainsOrInfersAsItsVersionSays) {
  const Array x{{2, 2}, {1, 2, 3, 10}}, scale{{2}, {1, 2}}, bias{{2}, {0, 1}}, mean{{2}, {1, 4}}, var{{2}, {4, 9}};
  const Array trained{{2, 2}, {-1, -1, 1, 3}}, inferred{{2, 2}, {0, -1.0F / 3, 1, 5}};
  // momentum 0.75 weighs what was there.
  const Array moved_mean{{2}, {1.25F, 4.5F}}, moved_var{{2}, {3.25F, 10.75F}}, own_mean{{2}, {2, 6}},
      own_var{{2}, {1, 16}};
  const std::vector<BatchCase> cases{{1, 5, {}, true},
                                     {1, 1, {{"is_test", 1}}, false},
                                     {6, 1, {{"is_test", 1}, {"spatial", 0}}, false},
                                     {6, 5, {}, true},
                                     {7, 1, {}, false},
                                     {7, 5, {}, true},
                                     {9, 1, {}, false},
                                     {9, 5, {}, true},
                                     {14, 1, {}, false},
                                     {14, 3, {{"training_mode", 1}}, true},
                                     {15, 3, {{"training_mode", 1}}, true},
                                     {15, 1, {{"training_mode", 0}}, false}};
  for (const BatchCase& c : cases) {
    SCOPED_TRACE(std::to_string(c.opset) + " with " + std::to_string(c.outputs) + " outputs");
    onnx::ModelProto model = model_of("BatchNormalization", c.opset, 5, c.outputs);
    set(model, "epsilon", 0.0F);
    set(model, "momentum", 0.75F);
    for (const auto& [name, value] : c.attributes) set(model, name, value);
    std::vector<Array> outputs{c.training ? trained : inferred, moved_mean, moved_var, own_mean, own_var};
    outputs.resize(static_cast<std::size_t>(c.outputs));
    expect_verdict(model, {x, scale, bias, mean, var}, outputs);
  }
}

TEST(OnnxOperators, ConvertedModelsKeepTheirParametersInTheModel) {
  onnx::ModelProto model = model_of("BatchNormalization", 6, 5, 1);
  set(model, "epsilon", 0.0F);
  set(model, "is_test", std::int64_t{1});
  const std::vector<Array> parameters{{{2}, {1, 2}}, {{2}, {0, 1}}, {{2}, {1, 4}}, {{2}, {4, 9}}};
  for (std::size_t i = 0; i < 4; ++i) {
    *model.mutable_graph()->add_initializer() = proto(parameters[i], std::string(1, static_cast<char>('b' + i)));
  }
  expect_verdict(model, {{{2, 2}, {1, 2, 3, 10}}}, {{{2, 2}, {0, -1.0F / 3, 1, 5}}});
}

TEST(OnnxOperators, OfOtherKindsInTheGraphAreAReasonToSkip) {
  onnx::ModelProto model = model_of("LpNormalization", 22, 1, 1);
  onnx::NodeProto* relu = model.mutable_graph()->add_node();
  relu->set_op_type("Relu");
  relu->add_input("A");
  relu->add_output("B");
  expect_verdict(model, {{{1, 2}, {3, 4}}}, {{{1, 2}, {0.6F, 0.8F}}}, cli::Verdict::kSkip);
}

// {1, 3} and {10, 4} as f16 in raw_data and as bf16 in int32_data; both are exact in their types, and so are the means.
TEST(OnnxOperators, TakeTheShortTypes) {
  const std::vector<std::uint16_t> f16{0x3c00, 0x4200, 0x4900, 0x4400}, bf16{0x3f80, 0x4040, 0x4120, 0x4080};
  const std::vector<std::uint16_t> f16_y{0xbc00, 0x3c00, 0x3c00, 0xbc00}, bf16_y{0xbf80, 0x3f80, 0x3f80, 0xbf80};
  onnx::ModelProto model = model_of("LayerNormalization", 17, 2, 1);
  set(model, "epsilon", 0.0F);
  const auto tensor = [](const std::vector<std::uint16_t>& bits, bool raw) {
    onnx::TensorProto t;
    t.add_dims(2);
    t.add_dims(2);
    t.set_data_type(raw ? onnx::TensorProto::FLOAT16 : onnx::TensorProto::BFLOAT16);
    for (const std::uint16_t b : bits) {
      if (raw) {
        t.mutable_raw_data()->append(reinterpret_cast<const char*>(&b), 2);
      } else {
        t.add_int32_data(b);
      }
    }
    return t;
  };
  for (const bool raw : {true, false}) {
    const Folder folder;
    write(folder.path() / "model.onnx", model.SerializeAsString());
    const fs::path data = folder.path() / "test_data_set_0";
    write(data / "input_0.pb", tensor(raw ? f16 : bf16, raw).SerializeAsString());
    write(data / "input_1.pb", proto({{2}, {1, 1}}).SerializeAsString());  // f32 parameters beside it
    write(data / "output_0.pb", tensor(raw ? f16_y : bf16_y, raw).SerializeAsString());
    const cli::OnnxVerification found = cli::verify_onnx(folder.path());
    ASSERT_EQ(found.rows.size(), 1);
    EXPECT_EQ(found.rows[0].verdict, cli::Verdict::kPass) << found.rows[0].reason;
    EXPECT_EQ(found.rows[0].difference, 0);
  }
}

// ---------------------------------------------------------------------------------------------------- files that lie

void expect_failure(const std::function<void(onnx::TensorProto&)>& spoil, const std::string& reason) {
  const Folder folder;
  write_test(folder.path(), model_of("LpNormalization", 22, 1, 1), {}, {{{1, 2}, {0.6F, 0.8F}}});
  onnx::TensorProto tensor = proto({{1, 2}, {3, 4}});
  spoil(tensor);
  write(folder.path() / "test_data_set_0/input_0.pb", tensor.SerializeAsString());
  const cli::OnnxVerification found = cli::verify_onnx(folder.path());
  ASSERT_EQ(found.rows.size(), 1);
  EXPECT_EQ(found.rows[0].verdict, cli::Verdict::kFail);
  EXPECT_THAT(found.rows[0].reason, HasSubstr(reason));
}

TEST(HostileOnnx, DataInAnotherFileIsRefused) {
  expect_failure(
      [](onnx::TensorProto& tensor) {
        tensor.clear_raw_data();
        tensor.set_data_location(onnx::TensorProto::EXTERNAL);
        onnx::StringStringEntryProto* entry = tensor.add_external_data();
        entry->set_key("location");
        entry->set_value("../../../../etc/passwd");
      },
      "refused");
}

TEST(HostileOnnx, SizesThatAreNegativeOverflowOrLieAreErrors) {
  expect_failure([](onnx::TensorProto& tensor) { tensor.set_dims(0, -1); }, "");
  expect_failure(
      [](onnx::TensorProto& tensor) {
        tensor.set_dims(0, std::int64_t{1} << 32);
        tensor.set_dims(1, std::int64_t{1} << 32);
      },
      "");
  expect_failure([](onnx::TensorProto& tensor) { tensor.set_dims(0, std::int64_t{1} << 40); }, "another length");
  expect_failure([](onnx::TensorProto& tensor) { tensor.set_raw_data("abcdefghi"); }, "another length");
  expect_failure(
      [](onnx::TensorProto& tensor) {
        for (int i = 0; i < 20; ++i) tensor.add_dims(1);
      },
      "");
}

TEST(HostileOnnx, WhatIsNoProtobufIsAnError) {
  const Folder folder;
  write(folder.path() / "model.onnx", "this is not a model, it is a sentence");
  const Outcome outcome = verify(folder.path());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("model.onnx: not what ONNX writes"));
}

TEST(HostileOnnx, NamesDoNotReachTheTerminalRaw) {
  const Folder folder;
  onnx::ModelProto model = model_of("LpNormalization", 22, 1, 1);
  onnx::NodeProto* strange = model.mutable_graph()->add_node();
  strange->set_op_type("\x1b[2Jgone");
  write_test(folder.path(), model, {{{1, 2}, {3, 4}}}, {{{1, 2}, {0.6F, 0.8F}}});
  const Outcome outcome = verify(folder.path());
  EXPECT_EQ(outcome.out.find('\x1b'), std::string::npos);
  EXPECT_THAT(outcome.out, HasSubstr("skip  its graph also has ?[2Jgone"));
}

// Any bytes give a verdict, and never a crash: bits of a good model and a good tensor turned over, and both cut short.
TEST(HostileOnnx, AnyBytesGiveAVerdict) {
  const Folder folder;
  onnx::ModelProto model = model_of("BatchNormalization", 9, 5, 5);
  set(model, "epsilon", 0.5F);
  set(model, "spatial", std::int64_t{1});
  const Array x{{2, 2}, {1, 2, 3, 10}}, small{{2}, {1, 2}};
  write_test(folder.path(), model, {x, small, small, small, small}, {x, small, small, small, small});
  const std::string model_bytes = model.SerializeAsString(), tensor_bytes = proto(x).SerializeAsString();
  std::mt19937_64 random(5);
  std::map<cli::Verdict, int> verdicts;
  int refused = 0;
  for (int trial = 0; trial < 1000; ++trial) {
    const bool in_model = trial % 2 == 0;
    std::string bytes = in_model ? model_bytes : tensor_bytes;
    for (std::uint64_t flips = 1 + random() % 4; flips > 0; --flips) {
      bytes[random() % bytes.size()] ^= static_cast<char>(1U << (random() % 8));
    }
    if (trial % 5 == 0) bytes.resize(random() % bytes.size());
    write(folder.path() / "model.onnx", in_model ? bytes : model_bytes);
    write(folder.path() / "test_data_set_0/input_0.pb", in_model ? tensor_bytes : bytes);
    try {
      ++verdicts[cli::verify_onnx(folder.path()).rows.at(0).verdict];
    } catch (const cli::UsageError&) {
      ++refused;  // no normalization any more
    }
  }
  EXPECT_GT(verdicts[cli::Verdict::kFail], 250);
  EXPECT_GT(refused, 10);
}

}  // namespace
}  // namespace norma::testing
