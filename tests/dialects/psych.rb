# Asks Ruby's YAML, and takes nothing but strings for a value.
Encoding.default_external = Encoding::UTF_8
require "yaml"
require_relative "answer"

each_file do |path|
  document = YAML.safe_load(File.binread(path).force_encoding("UTF-8")) || {}
  document.each { |name, value| raise TypeError, "#{name} is no string" unless name.is_a?(String) && value.is_a?(String) }
end
