// norma report DIR: what a study found so far, as a page, as JSON or as CSV; from its store, training nothing. With a
// second folder: what changed from the one study to the other.
#include "report/report.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "commands.h"
#include "lab/results/compare.h"
#include "lab/results/results.h"
#include "lab/store/store.h"
#include "lab/study/nearest.h"
#include "lab_errors.h"
#include "report_files.h"

namespace norma::cli {
namespace {

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) != 0) throw std::runtime_error(std::string("standard output: ") + std::strerror(errno));
}

nlohmann::json results_in(const std::string& folder) {
  return checking_input([&] { return lab::results_of(lab::Store::open(folder)); });
}

struct ReportOptions {
  std::string folder;
  std::string second;  // empty: none
  std::string format = "html";
  std::string out;  // empty: where the format goes as a rule
};

void run_report(const ReportOptions& options) {
  const bool two = !options.second.empty();
  nlohmann::json document = results_in(options.folder);
  if (two) document = lab::comparison_of(document, results_in(options.second));
  std::string text;
  std::string out = options.out;
  if (options.format == "json") {
    text = json_text(document);
  } else if (options.format == "csv") {
    text = two ? report::render_comparison_csv(document) : report::render_csv(document);
  } else {
    text = report::render_html(document);
    if (out.empty())
      out = two ? (std::filesystem::path(options.second) / "comparison.html").string() : page_in(options.folder);
  }
  if (out.empty()) return print(text);
  write_file(out, text);
  say_written(out);
}

}  // namespace

void add_report(CLI::App& app) {
  CLI::App* command = app.add_subcommand("report", "What a study found, as a page, JSON or CSV");
  auto options = std::make_shared<ReportOptions>();
  command->add_option("DIR", options->folder, "The study's folder (--out of norma study)")->required();
  command->add_option("OTHER", options->second, "A second study's folder: what changed from DIR to it");
  command
      ->add_option("--format", options->format,
                   "html: writes DIR/report.html, or of two OTHER/comparison.html; json, csv: to standard\noutput")
      ->check([](const std::string& word) {
        const std::vector<std::string> known{"html", "json", "csv"};
        const bool found = std::find(known.begin(), known.end(), word) != known.end();
        return found ? "" : "unknown format '" + word + "'" + lab::suggestion(word, known);
      })
      ->capture_default_str();
  command->add_option("--out", options->out, "The file to write instead, for a folder that may not be written")
      ->check([](const std::string& file) { return file.empty() ? "expected a file, got ''" : ""; });
  command->callback([options] { run_report(*options); });
}

}  // namespace norma::cli
