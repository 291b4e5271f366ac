// Results and their two forms, a table and JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace norma::bench {

struct Row {
  std::string name;
  int threads;
  bool fresh;
  std::int64_t bytes;
  double copy_bandwidth;
  // Medians in seconds, ours first.
  std::vector<std::pair<std::string, double>> seconds;
};

void print_header(bool fresh);
void print_row(const Row& row);
nlohmann::json to_json(const Row& row);

}  // namespace norma::bench
