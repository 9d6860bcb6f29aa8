# Reads a JUnit report as GitLab does: Hash.from_xml, then each case's status, class, name and output.
require "active_support"
require "active_support/core_ext"
require "json"

def cases(node, &block)
  [node].flatten.compact.each do |suite|
    [suite["testcase"]].flatten.compact.each(&block)
    cases(suite["testsuite"], &block)
  end
end

ActiveSupport::XmlMini.backend = "Nokogiri"
found = []
cases(Hash.from_xml(STDIN.read)["testsuites"]) do |test|
  status = %w[failure error skipped].find { |key| test.key?(key) }
  found << { status: status || "success", classname: test["classname"], name: test["name"], output: status && test[status] }
end
puts JSON.generate(found)
