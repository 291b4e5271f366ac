// norma claims DIR: what a study answers to its claims, as a table, or as a page for each.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "claims_table.h"
#include "commands.h"
#include "lab/claims/pages.h"
#include "lab/results/results.h"
#include "lab/store/store.h"
#include "lab_errors.h"
#include "progress.h"
#include "report_files.h"

namespace norma::cli {
namespace {

void write_pages(const std::string& folder, const nlohmann::json& results) {
  const auto pages = lab::claim_pages(results);
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  if (code) throw lab::InputError(folder + ": cannot be made: " + code.message());
  for (const auto& [name, text] : pages) {
    const std::string path = (std::filesystem::path(folder) / name).string();
    write_file(path, text);
    std::printf("%s\n", path.c_str());
  }
}

void run_claims(const std::string& folder, const std::string& write) {
  const nlohmann::json results = lab::results_of(lab::Store::open(folder));
  if (!results.contains("claims")) throw lab::InputError(folder + ": its study makes no claims");
  if (!write.empty()) {
    write_pages(write, results);
    return;
  }
  std::fputs(claims_text(results.at("claims"), takes_colour(STDOUT_FILENO)).c_str(), stdout);
}

}  // namespace

void add_claims(CLI::App& app) {
  CLI::App* command = app.add_subcommand("claims", "What a study answers to its claims");
  auto folder = std::make_shared<std::string>();
  auto write = std::make_shared<std::string>();
  command->add_option("DIR", *folder, "The study's folder (--out of norma study)")->required();
  command->add_option("--write", *write, "Write a page for each claim, with a picture, into this folder");
  command->callback([folder, write] { checking_input([&] { run_claims(*folder, *write); }); });
}

}  // namespace norma::cli
