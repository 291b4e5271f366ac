#include "page.h"

#include <cstdio>
#include <set>
#include <sstream>
#include <vector>

namespace norma::bench {
namespace {

using Json = nlohmann::json;

std::string number(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

std::string peer(const Json& row, const char* name) {
  if (!row["seconds"].contains(name)) return "- | -";
  return number(row["seconds"][name].get<double>() * 1e6, 1) + " | " + number(row["ratio"][name].get<double>(), 2);
}

void table(std::ostringstream& page, const Json& rows, const std::string& outputs, int threads) {
  page << "\n## Outputs " << outputs << (outputs == "allocated" ? " by each call, " : ", ") << threads
       << (threads == 1 ? " thread\n\n" : " threads\n\n");
  const bool onednn = outputs == "preallocated";
  page << "| case | ours, µs | GB/s | of roof | libtorch, µs | ratio |"
       << (onednn ? " oneDNN, µs | ratio | blocked, µs | ratio |\n" : "\n") << "|---|--:|--:|--:|--:|--:|"
       << (onednn ? "--:|--:|--:|--:|\n" : "\n");
  for (const Json& row : rows) {
    if (row["outputs"] != outputs || row["threads"] != threads) continue;
    const double ours = row["seconds"]["norma"];
    page << "| " << row["case"].get<std::string>() << " | " << number(ours * 1e6, 1) << " | "
         << number(row["bytes"].get<double>() / ours * 1e-9, 1) << " | "
         << number(100 * row["share_of_roof"].get<double>(), 0) << "% | " << peer(row, "libtorch");
    if (onednn) page << " | " << peer(row, "oneDNN") << " | " << peer(row, "oneDNN blocked");
    page << " |\n";
  }
}

void targets(std::ostringstream& page, const Json& results) {
  page << "\n## Targets\n\nOut of cache: the floor's streams together are larger than 32 MiB, the last cache that a "
          "few cores "
          "share (a virtual machine may report its host's together), or than this machine's. \"At the roof\": the "
          "ratio of code that moves the floor's streams as fast as a streaming copy; a target above it cannot be met "
          "against this peer on this machine.\n\n"
          "| case | threads | to | wanted | reached | at the roof | |\n|---|--:|---|--:|--:|--:|---|\n";
  int met = 0;
  int all = 0;
  std::vector<Json> rows = results["rows"];
  if (results.contains("variants")) rows.insert(rows.end(), results["variants"].begin(), results["variants"].end());
  for (const Json& row : rows) {
    if (!row.contains("targets")) continue;
    for (const Json& target : row["targets"]) {
      ++all;
      met += target["met"].get<bool>() ? 1 : 0;
      const double roof = target["at_the_roof"];
      page << "| " << row["case"].get<std::string>() << (row["in_cache"].get<bool>() ? ", in cache" : "") << " | "
           << row["threads"] << " | " << target["what"].get<std::string>() << " | "
           << number(target["wanted"].get<double>(), 2) << " | " << number(target["reached"].get<double>(), 2) << " | "
           << (roof == 0 ? "-" : number(roof, 2)) << " | "
           << (target["met"].get<bool>()                            ? "met"
               : roof != 0 && target["wanted"].get<double>() > roof ? "**missed**, above the roof"
                                                                    : "**missed**")
           << " |\n";
    }
  }
  page << "\n" << met << " of " << all << " met.\n";
}

void points(std::ostringstream& page, const Json& series, const char* key) {
  page << "\n| |";
  for (const Json& point : series.front()["points"]) page << " " << point[key] << " |";
  page << "\n|---|";
  for (std::size_t i = 0; i < series.front()["points"].size(); ++i) page << "--:|";
  page << "\n";
  for (const Json& one : series) {
    page << "| " << one["series"].get<std::string>() << " |";
    for (const Json& point : one["points"]) {
      page << " " << number(point["seconds"].get<double>() * 1e12 / point["elements"].get<double>(), 0) << " |";
    }
    page << "\n";
  }
}

void sizes(std::ostringstream& page, const Json& results) {
  page << "\n## Small calls, one thread\n\n| case | ns | allocations after the first call |\n|---|--:|--:|\n";
  for (const Json& row : results["small_calls"]) {
    page << "| " << row["case"].get<std::string>() << " | " << number(row["seconds"].get<double>() * 1e9, 0) << " | "
         << row["allocations_per_call"] << " |\n";
  }
  page << "\n## Time over size, one thread\n\nNanoseconds per 1,000 elements, over the number of elements in the "
          "call.\n";
  points(page, results["time_over_size"], "elements");
  page << "\n## Time over width, one thread\n\nNanoseconds per 1,000 of about a million elements, over the length of a "
          "row (LN, "
          "(N,C), NHWC: channels; NCHW: pixels).\n";
  points(page, results["time_over_width"], "width");
}

void variants(std::ostringstream& page, const Json& rows) {
  page << "\n## bf16, f16 and masks\n\nOurs beside our f32, outputs preallocated; ratios are f32's time over theirs "
          "(wanted of bf16 and f16: 1.7). Masked: of every 64 positions (samples and pixels, or rows) the last 16 do "
          "not "
          "count.\n\n| case | threads | f32, µs | bf16, µs | ratio | f16, µs | ratio | masked, µs | ratio |\n"
          "|---|--:|--:|--:|--:|--:|--:|--:|--:|\n";
  for (const Json& row : rows) {
    page << "| " << row["case"].get<std::string>() << " | " << row["threads"] << " | "
         << number(row["seconds"]["f32"].get<double>() * 1e6, 1);
    for (const char* variant : {"bf16", "f16", "masked"}) page << " | " << peer(row, variant);
    page << " |\n";
  }
}

// Rows where more threads took longer.
void threads(std::ostringstream& page, const Json& rows) {
  page << "\n## More threads never slower\n\n";
  int slower = 0;
  for (const Json& one : rows) {
    for (const Json& more : rows) {
      if (one["case"] != more["case"] || one["outputs"] != more["outputs"] || one["threads"] >= more["threads"])
        continue;
      const double ratio = more["seconds"]["norma"].get<double>() / one["seconds"]["norma"].get<double>();
      if (ratio <= 1.05) continue;
      ++slower;
      page << "- " << one["case"].get<std::string>() << ", outputs " << one["outputs"].get<std::string>() << ": "
           << number(ratio, 2) << " times the time of one thread\n";
    }
  }
  if (slower == 0) page << "None of the rows is more than 5% slower on more threads.\n";
}

}  // namespace

std::string page_of(const Json& results) {
  std::ostringstream page;
  const Json& machine = results["machine"];
  page << "# The bench on " << machine["date"].get<std::string>() << "\n\n`script/bench` at "
       << machine["commit"].get<std::string>() << ": " << machine["cpu"].get<std::string>() << ", " << machine["cores"]
       << " cores, " << (machine["last_cache_bytes"].get<std::int64_t>() >> 20) << " MiB L3; "
       << machine["isa"].get<std::string>() << ", " << machine["compiler"].get<std::string>() << ", libtorch "
       << machine["libtorch"].get<std::string>() << ", oneDNN " << machine["onednn"].get<std::string>()
       << " (Debian 12's; it has no RMSNorm, GroupNorm or InstanceNorm).\n\nf32. Medians of 7 to 101 rounds, all "
          "contenders "
          "in turn within one run, every answer checked against libtorch's in f64 before. GB/s counts the floor's "
          "streams: each input once, the output once. The roof is a copy with streaming stores, taken anew in every "
          "run that is on this page (the last: ";
  bool first = true;
  for (const auto& [count, rate] : results["roof_gb_per_second"].items()) {
    page << (first ? "" : ", ") << number(rate.get<double>(), 1) << " GB/s on " << count
         << (count == "1" ? " thread" : " threads");
    first = false;
  }
  page << "). Ratios are the peer's time over ours: above 1, ours is faster. \"Blocked\" is oneDNN in nChw16c.\n";
  targets(page, results);
  threads(page, results["rows"]);
  for (const char* outputs : {"preallocated", "allocated"}) {
    std::set<int> counts;
    for (const Json& row : results["rows"]) {
      if (row["outputs"] == outputs) counts.insert(row["threads"].get<int>());
    }
    for (const int count : counts) table(page, results["rows"], outputs, count);
  }
  if (results.contains("variants")) variants(page, results["variants"]);
  if (results.contains("small_calls")) sizes(page, results);
  return page.str();
}

}  // namespace norma::bench
