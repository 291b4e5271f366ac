// norma report DIR: what a study found so far, as a page, as JSON or as CSV; from its store, training nothing. With a
// second folder: what changed from the one study to the other.
#include "report/report.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>
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

// 0, or why it cannot be written. A full disk may show only when the buffer goes out, in fclose.
int write_whole(const std::string& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return errno;
  const int writing = std::fwrite(text.data(), 1, text.size(), file) == text.size() ? 0 : errno;
  const int closing = std::fclose(file) == 0 ? 0 : errno;
  return writing != 0 ? writing : closing;
}

std::string json_text(const nlohmann::json& results) {
  return results.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) != 0) throw std::runtime_error(std::string("standard output: ") + std::strerror(errno));
}

nlohmann::json results_in(const std::string& folder) {
  return checking_input([&] { return lab::results_of(lab::Store::open(folder)); });
}

void report_one(const std::string& folder, const std::string& format) {
  const nlohmann::json results = results_in(folder);
  if (format == "json") {
    print(json_text(results));
  } else if (format == "csv") {
    print(report::render_csv(results));
  } else {
    print(write_html(folder, results) + "\n");
  }
}

void report_two(const std::string& before, const std::string& after, const std::string& format) {
  const nlohmann::json comparison = lab::comparison_of(results_in(before), results_in(after));
  if (format == "json") {
    print(json_text(comparison));
  } else if (format == "csv") {
    print(report::render_comparison_csv(comparison));
  } else {
    const std::string path = (std::filesystem::path(after) / "comparison.html").string();
    write_file(path, report::render_html(comparison));
    print(path + "\n");
  }
}

}  // namespace

void write_file(const std::string& path, const std::string& text) {
  const std::string making = path + ".new";
  std::error_code failed(write_whole(making, text), std::generic_category());
  if (!failed) std::filesystem::rename(making, path, failed);
  if (!failed) return;
  std::error_code ignored;
  std::filesystem::remove(making, ignored);
  throw UsageError(path + ": cannot be written: " + failed.message());
}

std::string write_html(const std::string& folder, const nlohmann::json& results) {
  std::string path = (std::filesystem::path(folder) / "report.html").string();
  write_file(path, report::render_html(results));
  return path;
}

void write_data(const std::string& folder, const nlohmann::json& results) {
  write_file((std::filesystem::path(folder) / "results.json").string(), json_text(results));
  write_file((std::filesystem::path(folder) / "results.csv").string(), report::render_csv(results));
}

void add_report(CLI::App& app) {
  CLI::App* command = app.add_subcommand("report", "What a study found, as a page, JSON or CSV");
  auto folder = std::make_shared<std::string>();
  auto second = std::make_shared<std::string>();
  auto format = std::make_shared<std::string>("html");
  command->add_option("DIR", *folder, "The study's folder (--out of norma study)")->required();
  command->add_option("OTHER", *second, "A second study's folder: what changed from DIR to it");
  command
      ->add_option("--format", *format,
                   "html: writes DIR/report.html, or of two OTHER/comparison.html; json, csv: to standard\noutput")
      ->check([](const std::string& word) {
        const std::vector<std::string> known{"html", "json", "csv"};
        const bool found = std::find(known.begin(), known.end(), word) != known.end();
        return found ? "" : "unknown format '" + word + "'" + lab::suggestion(word, known);
      })
      ->capture_default_str();
  command->callback([folder, second, format] {
    if (second->empty()) {
      report_one(*folder, *format);
    } else {
      report_two(*folder, *second, *format);
    }
  });
}

}  // namespace norma::cli
