#include "reference/nist.h"

#include <algorithm>
#include <cmath>
#include <fstream>

namespace norma::reference {
namespace {

// NumAcc2 to 4: a centre, then the centre -0.1 and +0.1 in turn, 1000 times.
Values num_acc(double centre, double low, double high) {
  Values x{centre};
  for (int i = 0; i < 500; ++i) {
    x.push_back(low);
    x.push_back(high);
  }
  return x;
}

// Rabinowitz & Wagon 1995: decimal digits of pi, one by one.
Values pi_digits(std::size_t count) {
  Values found;
  std::vector<std::int64_t> remainders(count * 4, 2);
  std::int64_t held = -1;
  std::size_t nines = 0;
  while (found.size() <= count + 5) {
    std::int64_t carry = 0;
    for (std::size_t i = remainders.size(); i-- > 0;) {
      const auto odd = static_cast<std::int64_t>(2 * i + 1);
      const std::int64_t value = remainders[i] * 10 + carry * static_cast<std::int64_t>(i + 1);
      remainders[i] = value % (i == 0 ? 10 : odd);
      carry = value / (i == 0 ? 10 : odd);
    }
    if (carry == 9) {
      ++nines;
      continue;
    }
    const std::int64_t overflow = carry / 10;
    if (held >= 0) found.push_back(static_cast<double>(held + overflow));
    found.insert(found.end(), nines, overflow > 0 ? 0.0 : 9.0);
    nines = 0;
    held = carry % 10;
  }
  found.resize(count);
  return found;
}

}  // namespace

std::vector<NistSet> generated_nist_sets() {
  Values pi = pi_digits(5000);
  pi[956] = 3;  // the data set has a 3 for digit 957, which is an 8; the certified values are those of the data set
  return {{"NumAcc1", {10000001, 10000003, 10000002}, 10000002, 1},
          {"NumAcc2", num_acc(1.2, 1.1, 1.3), 1.2, 0.1},
          {"NumAcc3", num_acc(1000000.2, 1000000.1, 1000000.3), 1000000.2, 0.1},
          {"NumAcc4", num_acc(10000000.2, 10000000.1, 10000000.3), 10000000.2, 0.1},
          {"PiDigits", std::move(pi), 4.53480000000000, 2.86733906028871}};
}

std::optional<NistSet> read_nist_set(const std::filesystem::path& folder, const std::string& name) {
  std::ifstream file(folder / (name + ".csv"));
  if (!file) return std::nullopt;
  NistSet set{name, {}, NAN, NAN};
  for (std::string line; std::getline(file, line);) {
    const std::string value = line.substr(line.find(',') + 1);
    if (line.starts_with("# certified mean")) {
      set.mean = std::stod(value);
    } else if (line.starts_with("# certified standard deviation")) {
      set.deviation = std::stod(value);
    } else if (!line.starts_with("#") && !line.empty()) {
      set.x.push_back(std::stod(line));
    }
  }
  return set;
}

double digits(double found, double certified) {
  if (found == certified) return 15;
  return std::min(15.0, -std::log10(std::fabs(found - certified) / std::fabs(certified)));
}

}  // namespace norma::reference
