#include "verify_onnx.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "errors.h"
#include "onnx_files.h"
#include "onnx_nodes.h"
#include "reference/compare.h"
#include "text.h"

namespace norma::cli {
namespace {

namespace fs = std::filesystem;

// File and operator names come from strangers: what would move a terminal's cursor is shown as '?'.
std::string shown(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}

std::int64_t opset_of(const onnx::ModelProto& model) {
  for (const onnx::OperatorSetIdProto& opset : model.opset_import()) {
    if (opset.domain().empty() || opset.domain() == "ai.onnx") return opset.version();
  }
  return 1;
}

// The normalizations of a model, each once: "BatchNormalization 15".
std::string nodes_of(const onnx::ModelProto& model) {
  std::vector<std::string> names;
  for (const onnx::NodeProto& node : model.graph().node()) {
    if (is_normalization(node) && std::ranges::find(names, node.op_type()) == names.end()) {
      names.push_back(node.op_type());
    }
  }
  std::string text;
  for (const std::string& name : names) text += name + " ";
  return text + std::to_string(opset_of(model));
}

// input_0.pb, input_1.pb, ... as long as there are.
std::vector<fs::path> numbered(const fs::path& folder, const std::string& kind) {
  std::vector<fs::path> files;
  for (;;) {
    fs::path next = folder / (kind + "_" + std::to_string(files.size()) + ".pb");
    if (!fs::exists(next)) return files;
    files.push_back(std::move(next));
  }
}

// The values of a graph by name, in the order of its nodes, which ONNX requires to be one that computes.
class Run {
 public:
  Run(const onnx::ModelProto& model, const fs::path& data) : model_(model) {
    for (const onnx::TensorProto& tensor : model.graph().initializer())
      values_.emplace(tensor.name(), array_of(tensor));
    const std::vector<fs::path> files = numbered(data, "input");
    std::size_t next = 0;
    for (const onnx::ValueInfoProto& input : model.graph().input()) {
      if (values_.count(input.name()) != 0 || next == files.size()) continue;
      values_.emplace(input.name(), read_onnx_tensor(files[next++]));
    }
    if (next != files.size()) throw std::runtime_error("more input files than inputs");
    for (const onnx::NodeProto& node : model.graph().node()) run(node);
  }

  const OnnxArray& value(const std::string& name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) throw std::runtime_error("no value named '" + name + "'");
    return found->second;
  }

 private:
  void run(const onnx::NodeProto& node) {
    if (!is_normalization(node)) throw Unsupported("its graph also has " + node.op_type());
    std::vector<const OnnxArray*> inputs;
    for (const std::string& name : node.input()) inputs.push_back(name.empty() ? nullptr : &value(name));
    std::vector<OnnxArray> outputs = run_normalization(node, opset_of(model_), inputs);
    for (int i = 0; i < node.output_size(); ++i) {
      if (node.output(i).empty()) continue;
      if (static_cast<std::size_t>(i) >= outputs.size()) throw std::runtime_error("more outputs than the operator has");
      values_.insert_or_assign(node.output(i), std::move(outputs[static_cast<std::size_t>(i)]));
    }
  }

  const onnx::ModelProto& model_;
  std::map<std::string, OnnxArray> values_;
};

// ONNX's own rule for its node tests, |got - want| <= 1e-7 + 1e-3 |want|, with room for one rounding of a short type.
// Returns the largest difference over max(1, |want|).
double compare(const OnnxArray& got, const OnnxArray& want, const std::string& file) {
  if (!(got.shape == want.shape)) {
    throw std::runtime_error(file + ": expected " + want.shape.to_string() + ", got " + got.shape.to_string());
  }
  const double unit = reference::roundoff(want.dtype);
  const double absolute = is_short(want.dtype) ? 2 * unit : 1e-7, relative = std::max(1e-3, 2 * unit);
  double largest = 0;
  for (std::size_t i = 0; i < want.values.size(); ++i) {
    const double g = got.values[i], w = want.values[i];
    if (g == w || (std::isnan(g) && std::isnan(w))) continue;
    const double difference = std::fabs(g - w);
    if (!(difference <= absolute + relative * std::fabs(w))) {
      throw std::runtime_error(file + ": element " + std::to_string(i) + " is " + std::to_string(g) + ", expected " +
                               std::to_string(w));
    }
    largest = std::max(largest, difference / std::max(1.0, std::fabs(w)));
  }
  return largest;
}

void run_set(const onnx::ModelProto& model, const fs::path& data, OnnxRow& row) {
  const Run run(model, data);
  const std::vector<fs::path> files = numbered(data, "output");
  if (files.empty()) throw std::runtime_error("no output_0.pb");
  if (files.size() > static_cast<std::size_t>(model.graph().output_size())) {
    throw std::runtime_error("more output files than outputs");
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    const OnnxArray& got = run.value(model.graph().output(static_cast<int>(i)).name());
    row.difference = std::max(row.difference, compare(got, read_onnx_tensor(files[i]), files[i].filename().string()));
  }
  ++row.sets;
}

std::vector<fs::path> data_sets(const fs::path& folder) {
  std::vector<fs::path> sets;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory() && entry.path().filename().string().starts_with("test_data_set_")) {
      sets.push_back(entry.path());
    }
  }
  std::ranges::sort(sets);
  return sets;
}

OnnxRow examine(const onnx::ModelProto& model, const fs::path& folder, const std::string& name) {
  OnnxRow row;
  row.test = shown(name);
  row.nodes = shown(nodes_of(model));
  try {
    const std::vector<fs::path> sets = data_sets(folder);
    if (sets.empty()) throw Unsupported("no test_data_set_* beside the model");
    for (const fs::path& data : sets) run_set(model, data, row);
    row.verdict = Verdict::kPass;
  } catch (const Unsupported& reason) {
    row.verdict = Verdict::kSkip;
    row.reason = shown(reason.what());
  } catch (const std::exception& error) {
    row.verdict = Verdict::kFail;
    row.reason = shown(error.what());
  }
  return row;
}

const char* word(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kFail:
      return "FAIL";
    case Verdict::kSkip:
      break;
  }
  return "skip";
}

void print_text(const OnnxVerification& found) {
  std::size_t test = 0, nodes = 0;
  for (const OnnxRow& row : found.rows) {
    test = std::max(test, width_of(row.test));
    nodes = std::max(nodes, width_of(row.nodes));
  }
  std::printf("ONNX node tests through the library: operator and opset, and the largest difference from the\n");
  std::printf("expected outputs, over max(1, |expected|); allowed 1e-7 + 1e-3 |expected|, as ONNX does\n\n");
  for (const OnnxRow& row : found.rows) {
    std::printf("  %s  %s  %s  ", padded(row.test, test, false).c_str(), padded(row.nodes, nodes, false).c_str(),
                word(row.verdict));
    if (row.verdict == Verdict::kPass) {
      std::printf("%.1e%s\n", row.difference,
                  row.sets > 1 ? (" of " + std::to_string(row.sets) + " sets").c_str() : "");
    } else {
      std::printf("%s\n", row.reason.c_str());
    }
  }
  std::printf("\n%s: %d pass, %d fail, %d skipped; %d other models have no normalization; %.1f s\n",
              found.count(Verdict::kFail) == 0 ? "All is well" : "NOT WELL", found.count(Verdict::kPass),
              found.count(Verdict::kFail), found.count(Verdict::kSkip), found.others, found.seconds);
}

void print_json(const OnnxVerification& found) {
  nlohmann::json rows = nlohmann::json::array();
  for (const OnnxRow& row : found.rows) {
    rows.push_back({{"test", row.test},
                    {"nodes", row.nodes},
                    {"verdict", row.verdict == Verdict::kFail ? "fail" : word(row.verdict)},
                    {"reason", row.reason},
                    {"difference", row.difference},
                    {"sets", row.sets}});
  }
  const nlohmann::json document{{"format", "norma-verify-onnx/1"},
                                {"tests", rows},
                                {"passed", found.count(Verdict::kPass)},
                                {"failed", found.count(Verdict::kFail)},
                                {"skipped", found.count(Verdict::kSkip)},
                                {"others", found.others},
                                {"seconds", found.seconds},
                                {"ok", found.count(Verdict::kFail) == 0}};
  // Names that are not UTF-8 are no reason to end without a word.
  std::printf("%s\n", document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

}  // namespace

int OnnxVerification::count(Verdict verdict) const {
  return static_cast<int>(std::ranges::count(rows, verdict, &OnnxRow::verdict));
}

OnnxVerification verify_onnx(const fs::path& folder) {
  const auto start = std::chrono::steady_clock::now();
  if (!fs::is_directory(folder)) throw UsageError("--onnx " + shown(folder.string()) + ": not a folder");
  OnnxVerification found;
  int models = 0;
  for (const fs::directory_entry& entry :
       fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied)) {
    if (entry.path().filename() != "model.onnx") continue;
    ++models;
    const fs::path home = entry.path().parent_path();
    const fs::path below = fs::relative(home, folder);
    const std::string name = below == "." ? home.filename().string() : below.string();
    try {
      const onnx::ModelProto model = read_onnx_model(entry.path());
      if (std::ranges::none_of(model.graph().node(), is_normalization)) {
        ++found.others;
      } else {
        found.rows.push_back(examine(model, home, name));
      }
    } catch (const std::exception& error) {
      found.rows.push_back({shown(name), "?", Verdict::kFail, shown(error.what()), 0, 0});
    }
  }
  if (found.rows.empty()) {
    throw UsageError("--onnx " + shown(folder.string()) + ": expected models with a normalization, found " +
                     (models == 0 ? "no model.onnx" : std::to_string(models) + " without"));
  }
  std::ranges::sort(found.rows, {}, &OnnxRow::test);
  found.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return found;
}

void report_onnx(const OnnxVerification& found, bool json) {
  if (json) {
    print_json(found);
  } else {
    print_text(found);
  }
  if (found.count(Verdict::kFail) > 0) throw ExitCode{1};
}

}  // namespace norma::cli
