// Results and their two forms, a table and JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "contender.h"

namespace norma::bench {

struct Row {
  Case c;
  int threads;
  bool fresh;
  double roof;  // bytes a second
  // Medians in seconds, ours first.
  std::vector<std::pair<std::string, double>> seconds;
  std::int64_t allocations;  // of ours, in one call after the first; -1: not counted

  double ours() const { return seconds.front().second; }
  // A contender's, or 0 if it did not take part.
  double of(const std::string& contender) const;
  // The floor's streams beside the time taken, of the roof.
  double share_of_roof() const { return static_cast<double>(c.bytes()) / ours() / roof; }
  // Do the floor's streams together fit the last cache?
  bool in_cache() const;
};

void print_header(bool fresh);
void print_row(const Row& row);
nlohmann::json to_json(const Row& row);

}  // namespace norma::bench
