// norma-bench: ours beside libtorch and oneDNN, interleaved in one run on the same inputs and threads. Every answer is
// checked against libtorch's in f64 before anything is timed; medians are quoted. Whole trials of the lab come last.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <omp.h>
#include <dnnl.hpp>

#include <torch/version.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cases.h"
#include "machine.h"
#include "norma/machine.h"
#include "table.h"
#include "training.h"

namespace norma::bench {
namespace {

struct Options {
  std::string json_path;
  std::string filter;
  std::string commit = "unknown";
  std::vector<int> threads;
  bool quick = false;
  std::string only;
};

using Clock = std::chrono::steady_clock;

double seconds_of(Contender& contender, int calls) {
  const auto start = Clock::now();
  for (int call = 0; call < calls; ++call) contender.run();
  return std::chrono::duration<double>(Clock::now() - start).count() / calls;
}

// The largest error of each answer, of the answer's own size.
double error_of(const std::vector<float>& got, const std::vector<float>& expected) {
  double largest = 0;
  double size = 1e-30;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i])));
    size = std::max(size, std::abs(static_cast<double>(expected[i])));
  }
  return std::isnan(largest) ? 1.0 : largest / size;
}

void check(const Case& c, Contender& contender, const Answers& expected) {
  // A wrong kernel is off by far more; dgamma over 100,000 rows in f32 by no more.
  constexpr double kTolerance = 1e-4;
  contender.run();
  const Answers got = contender.answers();
  const double error = std::max(
      {error_of(got.main, expected.main), error_of(got.dgamma, expected.dgamma), error_of(got.dbeta, expected.dbeta)});
  if (!(error <= kTolerance)) {
    throw std::runtime_error(c.name() + ": " + contender.name() + " is wrong by " + std::to_string(error));
  }
}

// Medians over rounds in which all take turns, each round beginning with another.
Row measure(const Case& c, std::vector<std::unique_ptr<Contender>>& contenders, int threads, double bandwidth,
            const Options& options, bool fresh) {
  const double target = options.quick ? 0.1 : 0.4;  // seconds a contender
  std::vector<int> calls;
  double slowest = 0;
  for (auto& contender : contenders) {
    contender->run();
    const double once = seconds_of(*contender, 1);
    calls.push_back(std::clamp(static_cast<int>(2e-4 / once), 1, 1000));
    slowest = std::max(slowest, once * calls.back());
  }
  const int rounds = std::clamp(static_cast<int>(target / slowest), 7, 101);
  std::vector<std::vector<double>> times(contenders.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t turn = 0; turn < contenders.size(); ++turn) {
      const std::size_t which = (turn + static_cast<std::size_t>(round)) % contenders.size();
      times[which].push_back(seconds_of(*contenders[which], calls[which]));
    }
  }
  Row row{c.name(), threads, fresh, c.bytes(), bandwidth, {}};
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    std::ranges::nth_element(times[i], times[i].begin() + rounds / 2);
    row.seconds.emplace_back(contenders[i]->name(), times[i][static_cast<std::size_t>(rounds / 2)]);
  }
  return row;
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
          {"libtorch", TORCH_VERSION},
          {"onednn",
           std::to_string(onednn->major) + "." + std::to_string(onednn->minor) + "." + std::to_string(onednn->patch)}};
}

void measure_kernels(const Options& options, nlohmann::json& results) {
  // As users get them comes first: once freed memory is kept, it stays so.
  for (const bool fresh : {true, false}) {
    if (!fresh) reuse_freed_memory();
    for (const int threads : options.threads) {
      omp_set_num_threads(threads);
      at::set_num_threads(threads);
      const double bandwidth = copy_bandwidth(threads);
      results["copy_gb_per_second"][std::to_string(threads)] = bandwidth * 1e-9;
      print_header(fresh);
      std::printf("%-40s %2d %19.1f\n", "(copy, larger than the caches)", threads, bandwidth * 1e-9);
      for (const Case& c : all_cases(options.quick)) {
        if (c.name().find(options.filter) == std::string::npos) continue;
        const Inputs inputs = make_inputs(c);
        std::vector<std::unique_ptr<Contender>> contenders;
        contenders.push_back(make_norma(c, inputs, fresh));
        contenders.push_back(make_torch(c, inputs));
        if (!fresh) contenders.push_back(make_onednn(c, inputs));
        const Answers expected = reference_answers(c, inputs);
        for (auto& contender : contenders) check(c, *contender, expected);
        const Row row = measure(c, contenders, threads, bandwidth, options, fresh);
        print_row(row);
        results["rows"].push_back(to_json(row));
      }
    }
  }
}

void run(const Options& options) {
  nlohmann::json results{{"format", "norma-bench/1"}, {"machine", describe_machine(options)}};
  const auto& machine = results["machine"];
  std::printf("norma %s (%s), %s, %d cores, %s; libtorch %s, oneDNN %s\n", std::string(version()).c_str(),
              options.commit.c_str(), machine["cpu"].get<std::string>().c_str(), omp_get_num_procs(),
              current_isa().c_str(), TORCH_VERSION, machine["onednn"].get<std::string>().c_str());
  if (options.only != "training") measure_kernels(options, results);
  if (options.only != "kernels") {
    reuse_freed_memory();  // as norma-trial does
    results["training"] = compare_training(options.filter, options.quick);
  }
  if (options.json_path.empty()) return;
  std::ofstream file(options.json_path);
  file << results.dump(1) << "\n";
  if (!file.flush()) throw std::runtime_error("cannot write " + options.json_path);
}

}  // namespace
}  // namespace norma::bench

int main(int argc, char** argv) {
  CLI::App app{
      "Times norma's kernels beside libtorch's and oneDNN's, and the lab's trials beside loops of libtorch's layers."};
  norma::bench::Options options;
  options.threads = {1};
  if (omp_get_num_procs() > 1) options.threads.push_back(omp_get_num_procs());
  app.add_option("--json", options.json_path, "Write the results to this file");
  app.add_option("--filter", options.filter, "Only the cases whose name contains this, e.g. \"BN forward\"");
  app.add_option("--threads", options.threads, "Numbers of threads, e.g. 1,2")->delimiter(',');
  app.add_option("--commit", options.commit, "What the results are labelled with");
  app.add_option("--only", options.only, "One half of the bench alone")->check(CLI::IsMember({"kernels", "training"}));
  app.add_flag("--quick", options.quick, "Fewer rounds, and no tensors larger than the caches");
  CLI11_PARSE(app, argc, argv);
  try {
    norma::bench::run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "norma-bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
