// norma report DIR: what a study found so far, as a page, as JSON or as CSV; from its store, training nothing.
#include "report/report.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "commands.h"
#include "lab/results/results.h"
#include "lab/store/store.h"
#include "lab_errors.h"
#include "report_files.h"

namespace norma::cli {
namespace {

void write_file(const std::string& path, const std::string& text) {
  const std::string making = path + ".new";
  std::FILE* file = std::fopen(making.c_str(), "wb");
  bool good = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const int why = errno;
  if (file != nullptr) good = std::fclose(file) == 0 && good;
  std::error_code code;
  if (good) std::filesystem::rename(making, path, code);
  if (good && !code) return;
  const std::string reason = code ? code.message() : std::strerror(why);
  std::filesystem::remove(making, code);
  throw UsageError(path + ": cannot be written: " + reason);
}

std::string json_text(const nlohmann::json& results) {
  return results.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) != 0) throw std::runtime_error(std::string("standard output: ") + std::strerror(errno));
}

}  // namespace

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
  auto format = std::make_shared<std::string>("html");
  command->add_option("DIR", *folder, "The study's folder (--out of norma study)")->required();
  command->add_option("--format", *format, "html: writes DIR/report.html; json, csv: to standard output")
      ->check(CLI::IsMember({"html", "json", "csv"}))
      ->capture_default_str();
  command->callback([folder, format] {
    const nlohmann::json results = checking_input([&] { return lab::results_of(lab::Store::open(*folder)); });
    if (*format == "json") {
      print(json_text(results));
    } else if (*format == "csv") {
      print(report::render_csv(results));
    } else {
      print(write_html(*folder, results) + "\n");
    }
  });
}

}  // namespace norma::cli
