// norma-bench: ours beside libtorch and oneDNN, interleaved in one run on the same inputs and threads. Every answer is
// checked against libtorch's in f64 before anything is timed; medians are quoted.
#include <ATen/core/Tensor.h>
#include <omp.h>
#include <dnnl.hpp>

#include <torch/version.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "allocations.h"
#include "cases.h"
#include "check.h"
#include "machine.h"
#include "norma/machine.h"
#include "page.h"
#include "sizes.h"
#include "table.h"
#include "timing.h"
#include "variants.h"

namespace norma::bench {
namespace {

struct Options {
  std::string json_path, page_path;
  std::vector<std::string> only, with;
  std::string outputs = "both";
  std::string commit = "unknown", date = "unknown";
  std::vector<int> threads;
  double budget = 0.15;  // seconds a contender and row
  bool quick = false;
  bool no_peers = false;
};

// A wrong kernel is off by far more. libtorch's f32 sums over 3 million values are off by 1e-3 themselves.
double tolerance_of(const Contender& contender) {
  return contender.name() == "norma" ? 1e-5 : 1e-2;
}

std::vector<std::unique_ptr<Contender>> contenders_of(const Case& c, const Inputs& inputs, bool fresh, bool peers) {
  std::vector<std::unique_ptr<Contender>> contenders;
  contenders.push_back(make_norma(c, inputs, fresh));
  const auto add = [&](std::unique_ptr<Contender> contender) {
    if (contender != nullptr) contenders.push_back(std::move(contender));
  };
  if (!peers) return contenders;
  add(make_torch(c, inputs));
  if (!fresh) {
    add(make_onednn(c, inputs, false));
    add(make_onednn(c, inputs, true));
  }
  return contenders;
}

std::vector<Row> measure_case(const Case& c, bool fresh, const std::map<int, double>& roofs, const Options& options) {
  const Inputs inputs = make_inputs(c);
  use_threads(options.threads.back());
  const Answers expected = reference_answers(c, inputs);
  std::vector<Row> rows;
  for (const int threads : options.threads) {
    use_threads(threads);
    // Anew: a primitive of oneDNN's runs on as many threads as there were when it was made.
    const auto contenders = contenders_of(c, inputs, fresh, !options.no_peers);
    for (const auto& contender : contenders) check(c, *contender, expected, tolerance_of(*contender));
    Row row{c, threads, fresh, roofs.at(threads), {}, -1};
    const std::vector<double> medians = time_in_turns(contenders, options.budget);
    for (std::size_t i = 0; i < contenders.size(); ++i) row.seconds.emplace_back(contenders[i]->name(), medians[i]);
    if (!fresh) {
      contenders.front()->run();  // takes its outputs
      const std::int64_t before = allocations();
      contenders.front()->run();
      row.allocations = allocations() - before;
    }
    rows.push_back(row);
  }
  return rows;
}

void measure_table(const Options& options, nlohmann::json& results) {
  std::map<int, double> roofs;
  for (const int threads : options.threads) {
    use_threads(threads);
    roofs[threads] = copy_bandwidth(threads);
    results["roof_gb_per_second"][std::to_string(threads)] = roofs[threads] * 1e-9;
    std::printf("roof: a copy with streaming stores, %d thread%s: %.1f GB/s\n", threads, threads == 1 ? "" : "s",
                roofs[threads] * 1e-9);
  }
  // As users get them comes first: once freed memory is kept, it stays so.
  for (const bool fresh : {true, false}) {
    if (!fresh) reuse_freed_memory();
    if (options.outputs == (fresh ? "preallocated" : "allocated")) continue;
    print_header(fresh);
    for (const Case& c : cases_like(options.only, options.quick)) {
      for (const Row& row : measure_case(c, fresh, roofs, options)) {
        print_row(row);
        results["rows"].push_back(to_json(row));
      }
    }
  }
}

nlohmann::json describe_machine(const Options& options) {
  const dnnl_version_t* onednn = dnnl_version();
  return {{"cpu", cpu_name()},
          {"cores", omp_get_num_procs()},
          {"last_cache_bytes", last_cache_bytes()},
          {"isa", current_isa()},
          {"compiler", NORMA_COMPILER},
          {"build_type", NORMA_BUILD_TYPE},
          {"norma", version()},
          {"commit", options.commit},
          {"date", options.date},
          {"libtorch", TORCH_VERSION},
          {"onednn",
           std::to_string(onednn->major) + "." + std::to_string(onednn->minor) + "." + std::to_string(onednn->patch)}};
}

// Adds what an earlier run wrote: its rows, and what this run has not measured.
void add_results(const std::string& path, nlohmann::json& results) {
  std::ifstream file(path);
  const auto earlier = nlohmann::json::parse(file, nullptr, false);
  if (earlier.is_discarded() || !earlier.contains("rows")) {
    throw std::runtime_error(path + ": expected results of norma-bench");
  }
  for (const char* list : {"rows", "variants"}) {
    if (!earlier.contains(list)) continue;
    for (const auto& row : earlier[list]) results[list].push_back(row);
  }
  for (const auto& [key, value] : earlier.items()) {
    if (!results.contains(key)) results[key] = value;
  }
}

void write(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

void run(const Options& options) {
  nlohmann::json results{{"format", "norma-bench/2"}, {"machine", describe_machine(options)}};
  const auto& machine = results["machine"];
  std::printf("norma %s (%s), %s, %d cores, %s; libtorch %s, oneDNN %s\n", std::string(version()).c_str(),
              options.commit.c_str(), machine["cpu"].get<std::string>().c_str(), omp_get_num_procs(),
              current_isa().c_str(), TORCH_VERSION, machine["onednn"].get<std::string>().c_str());
  measure_table(options, results);
  if (options.outputs != "allocated") {
    if (auto rows = variants(options.only, options.threads, options.budget, options.quick); !rows.empty())
      results["variants"] = rows;
  }
  if (options.only.empty() || options.only.front() == "sizes") {
    use_threads(1);
    const double budget = options.budget / 3;
    results["small_calls"] = small_calls(budget);
    results["time_over_size"] = time_over_size(budget);
    results["time_over_width"] = time_over_width(budget);
  }
  for (const std::string& path : options.with) add_results(path, results);
  if (!options.json_path.empty()) write(options.json_path, results.dump(1) + "\n");
  if (!options.page_path.empty()) write(options.page_path, page_of(results));
}

}  // namespace
}  // namespace norma::bench

int main(int argc, char** argv) {
  CLI::App app{"Times norma's kernels beside libtorch's and oneDNN's."};
  norma::bench::Options options;
  options.threads = {1};
  if (omp_get_num_procs() > 1) options.threads.push_back(omp_get_num_procs());
  app.add_option("--json", options.json_path, "Write the results to this file");
  app.add_option("--page", options.page_path, "Write the results to this file as Markdown");
  app.add_option("--with", options.with, "Results of an earlier run, to be added to these");
  app.add_option(
      "--only", options.only,
      "Only the rows whose name fits a shell pattern, e.g. 'BN forward*'; 'sizes': small calls and time over "
      "size alone");
  app.add_option("--outputs", options.outputs, "One of the two tables alone")
      ->check(CLI::IsMember({"preallocated", "allocated", "both"}));
  app.add_option("--threads", options.threads, "Numbers of threads, e.g. 1,2")->delimiter(',');
  app.add_option("--budget", options.budget, "Seconds to time each contender in a row");
  app.add_option("--commit", options.commit, "What the results are labelled with");
  app.add_option("--date", options.date, "The day the results are labelled with");
  app.add_flag("--quick", options.quick, "No tensors larger than the caches");
  app.add_flag("--no-peers", options.no_peers, "Ours alone");
  CLI11_PARSE(app, argc, argv);
  try {
    norma::bench::run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "norma-bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
